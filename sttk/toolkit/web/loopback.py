"""HTTP servers on this machine: the check of host names, starting and stopping."""

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
    """A server with a thread per request that accepts only host names of this machine.

    Attributes:
        names: the host names that a request may use; None for any.
    """

    daemon_threads = True

    def __init__(self, host: str, port: int, handler: type[Handler]) -> None:
        super().__init__((host, port), handler)
        self.names = None if host in _ANY else _LOOPBACK | {host}

    @property
    def url(self) -> str:
        """The server's address; the loopback address if it listens on all interfaces."""
        host = str(self.server_address[0])
        return f"http://{'127.0.0.1' if host in _ANY else host}:{self.server_port}/"

    def handle_error(self, *_: Any) -> None:
        """Ignore errors, which mean that the client has disconnected."""


class Handler(BaseHTTPRequestHandler):
    """A base of request handlers: a check of the host name, common headers, a timeout, no log.

    Attributes:
        HEADERS: the headers of every response, including errors.
    """

    HEADERS: dict[str, str]
    server: Server
    server_version, sys_version = "sttk", ""
    timeout = 30

    def allowed(self) -> bool:
        """Return whether the request's host name is allowed; if not, respond with 403.

        The page of another site can make its host name resolve to this machine (DNS rebinding) and
        could then read the files here; the ``Host`` header gives it away.
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
        """Send the common headers and end the headers."""
        for name, value in self.HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Do not log requests."""


@contextmanager
def listening(make: Callable[[str, int], S], host: str, port: int) -> Iterator[S]:
    """Run a server while the block runs.

    Args:
        make: a function that creates the server from a host and a port.
        host: the address to listen on; any but the loopback gives the network access.
        port: the port; 0 for any free one.

    Raises:
        UsageError: the address or port cannot be used.
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
