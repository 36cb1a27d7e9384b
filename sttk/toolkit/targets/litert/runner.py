"""LiteRT (TensorFlow Lite) on the CPU, with XNNPACK."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sttk.toolkit.core.errors import ArtifactError, NotRunError, RunError
from sttk.toolkit.core.shapes import Shapes, Size
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.io.files import read_flatbuffer
from sttk.toolkit.io.streams import quiet_stderr
from sttk.toolkit.runtimes.base import Choices, Closing, Settings

if TYPE_CHECKING:
    from ai_edge_litert import interpreter as litert
else:
    litert = Lazy("ai_edge_litert.interpreter", "litert")

Details = dict[str, Any]
IDENTIFIER = b"TFL3"
_TYPES = {np.float32: "float", np.uint8: "uint8"}
MOST_BYTES = 1 << 28  # ours take 0.2 to 7 MB


class LiteRtRunner(Closing):
    """A runner of ``.tflite`` files with one (1, H, W, 3) or (1, 3, H, W) input, and one output.

    They are of float32 or of bytes.

    Pictures run one after the other. Transposing them to channels last and back counts as the
    runner's time.

    Raises:
        MissingExtraError: ai-edge-litert is not installed.
        ArtifactError: LiteRT cannot load the file, or it is not a style net.
        NotRunError: an arithmetic other than the model's own was requested.
    """

    name = "litert"
    choices = Choices(threads=True)
    notes: tuple[str, ...] = ()

    def __init__(self, model: Path, settings: Settings | None = None) -> None:
        precision = (settings and settings.inference_precision) or "f32"
        if precision != "f32":
            raise NotRunError(f"not run: LiteRT on this CPU has no {precision}", fix="f32 it has")
        threads = (settings and settings.threads) or os.cpu_count() or 1
        self._model = opened(model, content_of(model), threads)
        self._source, self.takes, self.layout, self.type = _source(model, self._model)
        self._result = self._model.get_output_details()[0]["index"]
        self._size: Size | None = None

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        size = (batch.shape[2], batch.shape[3])
        if not self.takes.takes(size):
            raise RunError(f"LiteRT: the model takes {self.takes}, not {batch.shape[2:]}")
        try:
            self._resize(size)
            return np.stack([self._picture(picture) for picture in batch])
        except (RuntimeError, ValueError) as error:
            raise RunError(f"LiteRT: {' '.join(str(error).split())[:200]}") from error

    def _resize(self, size: Size) -> None:
        if size == self._size:
            return
        with quiet_stderr():  # LiteRT prints that it uses XNNPACK
            shape = [1, *size, 3] if self.layout == "nhwc" else [1, 3, *size]
            self._model.resize_tensor_input(self._source, shape)
            self._model.allocate_tensors()
        self._size = size

    def _picture(self, picture: Floats) -> Floats:
        x = picture.transpose(1, 2, 0) if self.layout == "nhwc" else picture
        if self.type == "uint8":
            x = np.rint(x).clip(0, 255).astype(np.uint8)
        self._model.set_tensor(self._source, np.ascontiguousarray(x[None]))
        self._model.invoke()
        output: Floats = self._model.get_tensor(self._result)[0].astype(np.float32)
        last = output.ndim == 3 and output.shape[0] != 3 == output.shape[2]
        return np.ascontiguousarray(output.transpose(2, 0, 1)) if last else output


def content_of(model: Path) -> bytes:
    """Return a file's bytes. Raises ArtifactError: it is not a LiteRT model, or too large."""
    try:
        return read_flatbuffer(model, IDENTIFIER, MOST_BYTES)
    except (OSError, ValueError) as error:
        raise _not_loaded(model, error) from error


def opened(model: Path, content: bytes, threads: int) -> litert.Interpreter:
    """Return the interpreter of a file's bytes. Raises ArtifactError: LiteRT cannot load them."""
    try:
        with quiet_stderr():
            return litert.Interpreter(model_content=content, num_threads=threads)
    except (RuntimeError, ValueError) as error:
        raise _not_loaded(model, error) from error


def _not_loaded(model: Path, error: Exception) -> ArtifactError:
    reason = " ".join(str(error).split())[:200]
    return ArtifactError(f"{model}: LiteRT cannot load it: {reason}")


def _source(model: Path, opened: litert.Interpreter) -> tuple[int, Shapes, str, str]:
    """Return the index of the input tensor, the shapes that it takes, its layout and its type."""
    inputs, outputs, _ = _details(model, opened)
    kind = _TYPES.get(inputs[0]["dtype"]) if len(inputs) == len(outputs) == 1 else None
    sides = np.asarray(inputs[0]["shape_signature"]).tolist() if kind else []
    if kind is None or len(sides) != 4 or 3 not in (sides[1], sides[3]):
        raise ArtifactError(
            f"{model}: not a style net with one (1, H, W, 3) or (1, 3, H, W) input of floats or "
            "bytes"
        )
    layout = "nhwc" if sides[3] == 3 else "nchw"
    height, width = sides[1:3] if layout == "nhwc" else sides[2:]
    free = height < 1 and width < 1
    shapes = Shapes.any() if free else Shapes.fixed(height, width, batch=None)
    return inputs[0]["index"], shapes, layout, kind


def describe(model: Path) -> dict[str, Any]:
    """Return a model's inputs, outputs and operators, for ``sttk inspect``."""
    inputs, outputs, operators = _details(model, opened(model, content_of(model), 1))
    kinds = Counter(each["op_name"] for each in operators)
    return {
        "format": "TFLite",
        "inputs": [_described(each) for each in inputs],
        "outputs": [_described(each) for each in outputs],
        "operators": dict(sorted(kinds.items())),
    }


def _details(model: Path, opened: litert.Interpreter) -> tuple[list[Details], ...]:
    """Return the details of inputs, outputs and operators.

    Names in the file need not be valid text, which raises ArtifactError.
    """
    try:
        return (
            opened.get_input_details(),
            opened.get_output_details(),
            opened._get_ops_details(),  # noqa: SLF001
        )
    except (RuntimeError, ValueError) as error:
        raise _not_loaded(model, error) from error


def _described(tensor: Details) -> Details:
    return {
        "name": tensor["name"],
        "shape": np.asarray(tensor["shape_signature"]).tolist(),
        "type": np.dtype(tensor["dtype"]).name,
    }
