"""HTTP servers on this machine: who may ask, by which name, and how they start and end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from sttk.toolkit.core.errors import UsageError

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104

S = TypeVar("S", bound="Server")


class Server(ThreadingHTTPServer):
    """Answers each request in a thread, to those who ask by a name of this machine.

    Attributes:
        names: that a request may ask by; None for any.
    """

    daemon_threads = True

    def __init__(self, host: str, port: int, handler: type[Handler]) -> None:
        super().__init__((host, port), handler)
        self.names = None if host in _ANY else _LOOPBACK | {host}

    @property
    def url(self) -> str:
        """Where to look; from this machine, if it listens everywhere."""
        host = str(self.server_address[0])
        return f"http://{'127.0.0.1' if host in _ANY else host}:{self.server_port}/"

    def handle_error(self, *_: Any) -> None:
        """Who asked has gone: nobody's concern."""


class Handler(BaseHTTPRequestHandler):
    """What an answer has in common: a check of the name, headers, a limit in time, no log.

    Attributes:
        HEADERS: of every answer, errors included.
    """

    HEADERS: dict[str, str]
    server: Server
    server_version, sys_version = "sttk", ""
    timeout = 30

    def allowed(self) -> bool:
        """Whether the request asks by a name of this machine; else it has been refused.

        A page elsewhere can have its own name resolve to this machine (DNS rebinding), and would
        read what is here, but for the name that its browser asks with.
        """
        names = self.server.names
        if names is None or self._name() in names:
            return True
        self.send_error(403)
        return False

    def _name(self) -> str:
        host = self.headers.get("Host", "")
        name, colon, port = host.rpartition(":")
        return name if colon and port.isdecimal() else host

    def end_headers(self) -> None:
        """With those that every answer has."""
        for name, value in self.HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Requests are nobody's concern."""


@contextmanager
def listening(make: Callable[[str, int], S], host: str, port: int) -> Iterator[S]:
    """Serve, for as long as the block runs.

    Args:
        make: makes the server of a host and a port.
        host: address to listen at. Others than the loopback let the network in.
        port: 0 for any that is free.

    Raises:
        UsageError: it cannot listen there.
    """
    try:
        server = make(host, port)
    except OSError as error:
        raise UsageError(
            f"{host}:{port}: {error.strerror or error}", fix="pass another --host or --port"
        ) from error
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
    )
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
