"""Any ONNX model, run by the ONNX Runtime Web of a page, in headless Chromium."""

from __future__ import annotations

import base64
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from sttk.toolkit.targets.web.runner import WASM, WEBGPU, flags_of
from sttk.toolkit.web.chromium import Chromium, Tab
from sttk.toolkit.web.server import serving

RUNTIME = "ort"
# The files of each build, as in the page's worker.js: what is imported, and what that loads.
_BUILDS = {
    "webgpu": ("ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify"),
    "wasm": ("ort.wasm.min.mjs", "ort-wasm-simd-threaded"),
}
_RUN = 900.0  # seconds
_START = """async (api, build) => {
  const at = (name) => new URL(`./ort/${name}`, document.baseURI).href;
  const ort = globalThis.sttk = await import(at(api));
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = { mjs: at(`${build}.mjs`) };
  ort.env.wasm.wasmBinary = await (await fetch(at(`${build}.wasm`))).arrayBuffer();
  ort.env.logLevel = "error";
}"""
_INFER = """async (model, given, providers) => {
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const { InferenceSession, Tensor } = globalThis.sttk;
  const feeds = {};
  for (const [name, { text, type, dims }] of Object.entries(given)) {
    const { buffer } = bytes(text);
    const data = type === "float16" ? new Uint16Array(buffer) : new Float32Array(buffer);
    feeds[name] = new Tensor(type, data, dims);
  }
  const session = await InferenceSession.create(bytes(model), { executionProviders: providers });
  globalThis.found = await session.run(feeds);
  const names = [...session.outputNames];
  await session.release();
  return names;
}"""
_TAKE = """async (name) => {
  const { data, dims, type } = globalThis.found[name];
  delete globalThis.found[name];
  const given = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  let packed = "";
  for (let i = 0; i < given.length; i += 0x8000) {
    packed += String.fromCharCode(...given.subarray(i, i + 0x8000));
  }
  return { text: btoa(packed), dims, type };
}"""


class PageSessions:
    """The ONNX Runtime Web of a folder with an ``index.html`` and its files in ``ort``.

    Args:
        folder: the folder.
        backend: ``wasm`` or ``webgpu``.

    Raises:
        NotRunError: there is no Chromium here.
        RunError: the runtime does not start.
    """

    def __init__(self, folder: Path, backend: str = WASM) -> None:
        flags, note = flags_of(backend)
        self.notes = (note,)
        self._providers = ["webgpu", "wasm"] if backend == WEBGPU else ["wasm"]
        api, build = _BUILDS[backend]
        self.files = (api, f"{build}.mjs", f"{build}.wasm")
        stack = ExitStack()
        try:
            browser = stack.enter_context(Chromium(flags))
            server = stack.enter_context(serving(folder))
            self._tab = Tab(browser, f"{server.url}?offline=no&backend={backend}")
            self._tab.run(_START, api, build)
        except BaseException:
            stack.close()
            raise
        # If nobody closes it, the browser ends with this object, or with the process.
        self.close = weakref.finalize(self, stack.close)

    def run(self, model: bytes, feeds: dict[str, Any]) -> list[Any]:
        """Return a model's outputs on its inputs by name, both arrays of floats.

        Raises:
            RunError: the runtime does not take the model, or fails on it.
        """
        given = {name: _packed(values) for name, values in feeds.items()}
        text = base64.b64encode(model).decode()
        names = self._tab.run(_INFER, text, given, self._providers, seconds=_RUN)
        return [_unpacked(self._tab.run(_TAKE, name, seconds=_RUN)) for name in names]


def _packed(values: Any) -> dict[str, Any]:
    content = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    text = base64.b64encode(content.tobytes()).decode()
    return {"text": text, "type": str(values.dtype), "dims": list(values.shape)}


def _unpacked(given: dict[str, Any]) -> Any:
    kind = np.dtype(given["type"]).newbyteorder("<")
    values = np.frombuffer(base64.b64decode(given["text"]), kind)
    return values.reshape(given["dims"]).astype(kind.newbyteorder("="))
