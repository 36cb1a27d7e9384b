"""Live video on a web page: Motion JPEG over HTTP, for machines without a screen."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any

import numpy as np

from sttk.toolkit.imaging.images import Bytes
from sttk.toolkit.video.library import cv2
from sttk.toolkit.web import loopback

_BOUNDARY = "frame"
_JPEG_QUALITY = 85
# Only this page's own scripts and pictures, and no embedding in other pages.
_POLICY = (
    "default-src 'none'; img-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    # Keeps other pages from showing the picture as their own.
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Page:
    """The current picture; request threads wait for the next one.

    Attributes:
        url: the address of the page.
    """

    def __init__(self, title: str) -> None:
        self.url = ""
        self._title = title
        self._changed = threading.Condition()
        self._jpeg, self._count, self._fps, self._ended = b"", 0, 0.0, False

    def show(self, rgb: Bytes, fps: float) -> None:
        """Show a picture.

        Args:
            rgb: (H, W, 3) uint8.
            fps: the frames a second to display with it.
        """
        bgr: Any = rgb[..., ::-1]
        _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        with self._changed:
            self._jpeg, self._fps = np.asarray(jpeg).tobytes(), fps
            self._count += 1
            self._changed.notify_all()

    def end(self) -> None:
        """Release the waiting requests."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def pictures(self) -> Iterator[bytes]:
        """Yield the newest picture each time, as a JPEG file."""
        seen = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._count > seen or self._ended)  # noqa: B023
                if self._count == seen:
                    return
                seen, jpeg = self._count, self._jpeg
            yield jpeg

    def facts(self) -> bytes:
        """Return the status as JSON for the page's script."""
        with self._changed:
            facts = {"title": self._title, "fps": round(self._fps, 1), "ended": self._ended}
        return json.dumps(facts).encode()


@contextmanager
def serve(title: str, host: str, port: int) -> Iterator[Page]:
    """Serve a page while the block runs; see :func:`listening`.

    Args:
        title: the heading above the picture.
        host: the address to listen on; any but the loopback lets the network see the pictures.
        port: the port; 0 for any free one.

    Raises:
        UsageError: the address or port cannot be used.
    """
    page = Page(title)
    with loopback.listening(lambda at, number: _Server(at, number, page), host, port) as server:
        page.url = server.url
        try:
            yield page
        finally:
            page.end()


class _Server(loopback.Server):
    def __init__(self, host: str, port: int, page: Page) -> None:
        super().__init__(host, port, _Handler)
        self.page = page


class _Handler(loopback.Handler):
    HEADERS = _HEADERS
    server: _Server

    def do_GET(self) -> None:  # noqa: N802 - named by the base class
        """Answer with the page, its status or its picture stream, else 404."""
        if not self.allowed():
            return
        if self.path == "/":
            template = resources.files("sttk.toolkit.video") / "templates/camera.html"
            self._send("text/html; charset=utf-8", template.read_bytes())
        elif self.path == "/facts":
            self._send("application/json", self.server.page.facts())
        elif self.path == "/picture":
            self._stream()
        else:
            self.send_error(404)

    def _send(self, kind: str, body: bytes) -> None:
        self._begin(kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _begin(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)

    def _stream(self) -> None:
        self._begin(f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.end_headers()
        with contextlib.suppress(OSError):  # the viewer has disconnected
            for jpeg in self.server.page.pictures():
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\n"
                self.wfile.write(f"{head}Content-Length: {len(jpeg)}\r\n\r\n".encode())
                self.wfile.write(jpeg + b"\r\n")
