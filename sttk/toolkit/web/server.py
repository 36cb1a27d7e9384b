"""An HTTP server for a single folder, with the headers that WebAssembly threads need.

WebAssembly has threads only in pages that are isolated from other origins
(https://html.spec.whatwg.org/#cross-origin-isolation), which two headers request.
"""

from __future__ import annotations

import contextlib
import shutil
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sttk.toolkit.artifact.contents import file_of
from sttk.toolkit.web import loopback

INDEX = "index.html"
# A page may run its own scripts and WebAssembly, and show and fetch only its own files.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-cache",
}
# Not the system's table, which anyone can change. Other types of files are not served.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
}
_MAX_PATH = 1024


class FolderServer(loopback.Server):
    """A server for the files of one folder.

    Attributes:
        folder: the folder; files outside are not served, not even through links.
    """

    def __init__(self, folder: Path, host: str, port: int) -> None:
        super().__init__(host, port, _Handler)
        self.folder = folder.resolve()


def serving(
    folder: Path, host: str = "127.0.0.1", port: int = 0
) -> AbstractContextManager[FolderServer]:
    """Serve a folder while a block runs; see :func:`listening`.

    Args:
        folder: the folder to serve.
        host: the address to listen on; any but the loopback gives the network access.
        port: the port; 0 for any free one.

    Raises:
        UsageError: the address or port cannot be used.
    """
    return loopback.listening(partial(FolderServer, folder), host, port)


class _Handler(loopback.Handler):
    HEADERS = HEADERS
    server: FolderServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # noqa: N802 - named by the base class
        """Answer with a file."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:  # noqa: N802 - named by the base class
        """Answer with a file's headers."""
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if not self.allowed():
            return
        file = self._file()
        if file is None:
            self.send_error(404)
            return
        with contextlib.suppress(ConnectionError):
            self._send(file, with_body=with_body)

    def _file(self) -> Path | None:
        """Return the requested file, if it is in the folder and of a type that is served."""
        name = unquote(urlsplit(self.path).path).removeprefix("/")
        if len(name) > _MAX_PATH or any(part.startswith(".") for part in name.split("/")):
            return None
        if not name or name.endswith("/"):
            name += INDEX
        file = file_of(self.server.folder, name)
        return file if file and file.is_file() and file.suffix in TYPES else None

    def _send(self, file: Path, *, with_body: bool) -> None:
        with file.open("rb") as source:
            facts = file.stat()
            tag = f'"{facts.st_size:x}-{facts.st_mtime_ns:x}"'
            unchanged = self.headers.get("If-None-Match") == tag
            self.send_response(304 if unchanged else 200)
            self.send_header("ETag", tag)
            if not unchanged:
                self.send_header("Content-Type", TYPES[file.suffix])
                self.send_header("Content-Length", str(facts.st_size))
            self.end_headers()
            if with_body and not unchanged:
                shutil.copyfileobj(source, self.wfile, 1 << 18)
