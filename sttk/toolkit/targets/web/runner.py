"""ONNX Runtime Web: an exported page and its own engine, in headless Chromium."""

from __future__ import annotations

import base64
import threading
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np

from sttk.toolkit.core.errors import NotRunError, RunError, UsageError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.host import machine
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.runtimes.base import Closing, Settings
from sttk.toolkit.web.chromium import Chromium, Tab
from sttk.toolkit.web.page import STARTED, Part, part_of
from sttk.toolkit.web.server import serving

NAME = "onnxruntime-web"
WASM, WEBGPU = "wasm", "webgpu"
_NO_WEBGPU = "run by WebAssembly in Chromium; WebGPU was not run"
_GPU = ("--enable-unsafe-webgpu",)
_SOFTWARE = ("--use-webgpu-adapter=swiftshader",)
_IN_SOFTWARE = "run by WebGPU in Chromium, without a GPU (SwiftShader): its speed means nothing"
_ADAPTER = """async () => {
  const { info, features } = await navigator.gpu.requestAdapter();
  const name = info?.description || info?.architecture || info?.vendor || "a GPU";
  return [name, features.has("shader-f16")];
}"""
HALF = "WebGPU fp16"
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

    Args:
        model: the ``index.html``.
        settings: the number of threads.
        backend: ``wasm`` or ``webgpu``: a real GPU's, else Chromium's SwiftShader.

    Attributes:
        machine, features: the GPU and what it computes in, as in :class:`Featured`; absent with
            WebAssembly.

    Raises:
        ArtifactError: it is not a page that sttk exported.
        UsageError: another arithmetic than the model's was requested.
        NotRunError: there is no Chromium here, or the page does not start in it.
    """

    name = NAME
    device_seconds = 0.0

    def __init__(self, model: Path, settings: Settings | None = None, backend: str = WASM) -> None:
        settings = settings or Settings()
        if settings.inference_precision:
            raise UsageError(f"{NAME} has no --inference-precision: its graph says it")
        part = part_of(model)
        flags, note = flags_of(backend)
        self.notes: tuple[str, ...] = (note,)
        self.takes = Shapes.fixed(*part.size) if part.size else Shapes.any()
        stack = ExitStack()
        try:
            query = {"backend": backend, "threads": settings.threads or 0, "offline": "no"}
            self._tab = _opened(part, query, flags, stack)
        except BaseException:
            stack.close()
            raise
        if backend == WEBGPU:
            name, half = self._tab.run(_ADAPTER)
            self.machine, self.features = str(name), (HALF,) if half else ()
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


def flags_of(backend: str) -> tuple[tuple[str, ...], str]:
    """Return Chromium's flags for a backend, and a note for readers of its results."""
    if backend == WASM:
        return (), _NO_WEBGPU
    if machine.has_gpu():
        return _GPU, "run by WebGPU in Chromium"
    return (*_GPU, *_SOFTWARE), _IN_SOFTWARE


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
