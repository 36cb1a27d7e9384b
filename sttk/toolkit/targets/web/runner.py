"""ONNX Runtime Web: an exported page and its own engine, in headless Chromium."""

from __future__ import annotations

import base64
import os
import threading
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np

from sttk.toolkit.core.errors import NotRunError, RunError, UsageError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.runtimes.base import Closing, Settings
from sttk.toolkit.web.chromium import Chromium, Tab
from sttk.toolkit.web.page import STARTED, Part, part_of
from sttk.toolkit.web.server import serving

NAME = "onnxruntime-web"
# The environment variable that names the backend; WebAssembly by default.
VARIABLE = "STTK_WEB_BACKEND"
# (the backend's name for the page, Chromium's flags, the note in reports)
_BACKENDS = {
    "wasm": ("wasm", (), "run by WebAssembly in Chromium; WebGPU was not run"),
    "webgpu": ("webgpu", ("--enable-unsafe-webgpu",), "run by WebGPU in Chromium"),
    "webgpu-software": (
        "webgpu",
        ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"),
        "run by WebGPU in Chromium, without a GPU (SwiftShader): its speed means nothing",
    ),
}
_START, _RUN = 120.0, 900.0  # seconds
_STYLIZE = """async (text, dims) => {
  const { engine } = await import("./app.js");
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const { data, dims: shape, seconds } = await engine.run(new Float32Array(bytes.buffer), dims);
  const given = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  let packed = "";
  for (let i = 0; i < given.length; i += 0x8000) {
    packed += String.fromCharCode(...given.subarray(i, i + 0x8000));
  }
  return { text: btoa(packed), dims: shape, seconds };
}"""


class WebRunner(Closing):
    """A runner of one style of a page, which is named by its ``index.html``.

    Raises:
        ArtifactError: it is not a page that sttk exported.
        UsageError: another arithmetic than the model's was requested.
        NotRunError: there is no Chromium here, or the page does not start in it.
    """

    name = NAME
    device_seconds = 0.0

    def __init__(self, model: Path, settings: Settings | None = None) -> None:
        settings = settings or Settings()
        if settings.inference_precision:
            raise UsageError(f"{NAME} has no --inference-precision: its graph says it")
        part = part_of(model)
        want, flags, note = backend()
        self.notes: tuple[str, ...] = (note,)
        self.takes = Shapes.fixed(*part.size) if part.size else Shapes.any()
        stack = ExitStack()
        try:
            query = {"backend": want, "threads": settings.threads or 0, "offline": "no"}
            self._tab = _opened(part, query, flags, stack)
        except BaseException:
            stack.close()
            raise
        # If nobody closes it, the browser ends with this object, or with the process.
        self._end = weakref.finalize(self, stack.close)
        self._turn = threading.Lock()

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        content = np.ascontiguousarray(batch, dtype="<f4")
        text = base64.b64encode(content.tobytes()).decode()
        with self._turn:
            given = self._tab.run(_STYLIZE, text, list(batch.shape), seconds=_RUN)
        self.device_seconds = float(given["seconds"])
        values = np.frombuffer(base64.b64decode(given["text"]), dtype="<f4")
        output: Floats = values.reshape(given["dims"]).astype(np.float32)
        return output

    def close(self) -> None:
        """See :class:`Runner`. End the browser and the server."""
        self._end()


def backend() -> tuple[str, tuple[str, ...], str]:
    """Return the backend that is asked for: its name, Chromium's flags, and a note for reports.

    Raises UsageError: ``VARIABLE`` names none.
    """
    wanted = os.environ.get(VARIABLE) or "wasm"
    if wanted not in _BACKENDS:
        raise UsageError(f"{VARIABLE} is {wanted}: it is one of {', '.join(_BACKENDS)}")
    return _BACKENDS[wanted]


def _opened(part: Part, query: dict[str, Any], flags: tuple[str, ...], stack: ExitStack) -> Tab:
    """Return a tab with the started page; the stack ends its browser and server."""
    browser = stack.enter_context(Chromium(flags))
    server = stack.enter_context(serving(part.page))
    try:
        tab = Tab(browser, f"{server.url}?{urlencode(query)}#{quote(part.style)}")
        failed = tab.run(STARTED, seconds=_START)
    except RunError as error:
        raise NotRunError(f"the page does not start: {error}") from error
    if failed:
        raise NotRunError(f"the page does not start: {failed}")
    return tab


def describe(model: Path) -> dict[str, Any]:
    """Return the facts that ``sttk inspect`` shows: the page's style, and those of its model."""
    from sttk.toolkit.targets.onnx.describe import describe as of_graph  # noqa: PLC0415 (imports onnx)

    part = part_of(model)
    return {"format": "web page", "style": part.style, **of_graph(model.parent / part.model)}
