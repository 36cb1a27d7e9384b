"""LiteRT's GPU accelerator, as its CompiledModel offers it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sttk.toolkit.core.errors import ArtifactError, NotRunError, RunError, UsageError
from sttk.toolkit.core.shapes import Shapes, Size
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.io.streams import quiet_stderr
from sttk.toolkit.runtimes.base import Closing, Settings

if TYPE_CHECKING:
    from ai_edge_litert import compiled_model
    from ai_edge_litert import hardware_accelerator as hardware
else:
    compiled_model = Lazy("ai_edge_litert.compiled_model", "litert")
    hardware = Lazy("ai_edge_litert.hardware_accelerator", "litert")

HALF = "GPU fp16"
_SIGNATURE = 0
_DRIVER = "VK_DRIVER_FILES"  # the Vulkan loader's variable
_SOFTWARE = "SwiftShader"  # what LiteRT takes, and computes in software


class LiteRtGpuRunner(Closing):
    """A runner of ``.tflite`` files of one size on a GPU, through Vulkan.

    A real GPU computes float32 files in float16, LiteRT's default there; SwiftShader has no float16
    arithmetic and computes in float32.

    Raises:
        MissingExtraError: ai-edge-litert is not installed.
        ArtifactError: LiteRT cannot load the file, or it is not a style net.
        UsageError: an arithmetic was requested.
        NotRunError: there is no GPU that LiteRT takes, or part of the model would run on the CPU.
    """

    name = "litert-gpu"
    notes: tuple[str, ...] = ()

    def __init__(self, model: Path, settings: Settings | None = None) -> None:
        if settings and settings.inference_precision:
            raise UsageError("LiteRT's GPU computes in what it has", fix="no --inference-precision")
        software = _SOFTWARE.lower() in os.environ.get(_DRIVER, "").lower()
        self.machine = _SOFTWARE if software else "a GPU"
        self.features: tuple[str, ...] = () if software else (HALF,)
        self._model = _compiled(model)
        self._shape, self._result = _shapes(model, self._model)
        self.takes = Shapes.fixed(*self._shape, batch=None)
        self._inputs = self._model.create_input_buffers(_SIGNATURE)
        self._outputs = self._model.create_output_buffers(_SIGNATURE)

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        size = (batch.shape[2], batch.shape[3])
        if not self.takes.takes(size):
            raise RunError(f"LiteRT: the model takes {self.takes}, not {size}")
        try:
            return np.stack([self._picture(picture) for picture in batch])
        except (RuntimeError, ValueError) as error:
            raise RunError(f"LiteRT: {' '.join(str(error).split())[:200]}") from error

    def _picture(self, picture: Floats) -> Floats:
        self._inputs[0].write(np.ascontiguousarray(picture.transpose(1, 2, 0)))
        self._model.run_by_index(_SIGNATURE, self._inputs, self._outputs)
        height, width = self._result
        values = np.asarray(self._outputs[0].read(height * width * 3, np.float32))
        pixels: Floats = values.reshape(height, width, 3)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _shapes(model: Path, compiled: Any) -> tuple[Size, Size]:
    """Return the sizes of the input and the output."""
    key = compiled.get_signature_by_index(_SIGNATURE)["key"]
    inputs = list(compiled.get_input_tensor_details(key).values())
    outputs = list(compiled.get_output_tensor_details(key).values())
    tensors = [*inputs, *outputs]
    shapes = [tuple(int(side) for side in each["shape"]) for each in tensors]
    pictures = all(len(shape) == 4 and shape[::3] == (1, 3) for shape in shapes)
    floats = all(str(each["dtype"]) == "float32" for each in tensors)
    if len(inputs) != 1 or len(outputs) != 1 or not pictures or not floats:
        raise ArtifactError(f"{model}: not a style net with one float (1, H, W, 3) input")
    (_, height, width, _), (_, rows, columns, _) = shapes
    return (height, width), (rows, columns)


def _compiled(model: Path) -> Any:
    gpu = hardware.HardwareAccelerator.GPU
    try:
        with quiet_stderr():
            found = compiled_model.CompiledModel.from_file(str(model), hardware_accel=gpu)
            whole = found.is_fully_accelerated()
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise NotRunError(f"not run: LiteRT has no GPU for {model.name}: {reason}") from error
    if not whole:
        raise NotRunError(f"not run: LiteRT runs only a part of {model.name} on the GPU")
    return found
