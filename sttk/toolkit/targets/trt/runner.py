"""TensorRT, full or for RTX, on the first CUDA device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sttk.toolkit.core.errors import ArtifactError, RunError, UsageError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.io.files import MOST_BYTES, read_bounded
from sttk.toolkit.runtimes.base import Closing, Settings
from sttk.toolkit.targets.trt.cuda import Buffer, Device
from sttk.toolkit.targets.trt.engine import read_header
from sttk.toolkit.targets.trt.library import library, log, take_messages


class TensorrtRunner(Closing):
    """A runner of engines with one float32 (B, 3, H, W) input and one such output.

    TensorRT for RTX compiles the kernels for this GPU when the engine is loaded.

    Raises:
        NotRunError: there is no CUDA device, or the library does not load.
        MissingExtraError: the library that made the engine is not installed.
        ArtifactError: the file is not an engine, is for another GPU or library, or not a style net.
    """

    name = "tensorrt"

    def __init__(self, model: Path, settings: Settings | None = None) -> None:
        if settings and settings.inference_precision:
            raise UsageError("tensorrt has no --inference-precision: its engine says it")
        self._device = Device()
        try:
            blob = read_bounded(model, MOST_BYTES)
        except ValueError as error:
            raise ArtifactError(f"{model}: cannot be read: {error}") from error
        try:
            self._trt = library(read_header(blob).library)
        except ArtifactError as error:
            raise ArtifactError(f"{model}: {error}", fix="export it again") from error
        # Each of these needs those made before it for as long as it lives.
        self._runtime = self._made(model, self._trt.Runtime, log(self._trt))
        warning = self._check_valid(model, blob)
        self._engine = self._made(model, self._runtime.deserialize_cuda_engine, blob)
        self._context = self._made(model, self._engine.create_execution_context)
        self._input, self._output = self._tensor_names(model)
        self.takes = self._shapes(model)
        where = f"ran on {self._device.name} ({self._device.capability}) under {self._library}"
        self.notes: tuple[str, ...] = (where, *((warning,) if warning else ()))
        self._buffers: dict[str, Buffer] = {}
        self._began, self._ended = self._device.event(), self._device.event()
        self.device_seconds = 0.0

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        if not self._fits(batch.shape):
            raise RunError(f"TensorRT: an input of {batch.shape}; the engine takes {self.takes}")
        batch = np.ascontiguousarray(batch, np.float32)
        self._device.make_current()
        self._done("set_input_shape", self._input, batch.shape)
        shape = tuple(self._context.get_tensor_shape(self._output))
        if min(shape) < 1:
            raise RunError(f"TensorRT: {batch.shape} gives an output of {shape}")
        sources = self._buffer(self._input, batch.nbytes)
        results = self._buffer(self._output, int(np.prod(shape)) * batch.itemsize)
        self._done("set_tensor_address", self._input, sources.address)
        self._done("set_tensor_address", self._output, results.address)
        self._device.upload(batch, sources)
        self._device.mark(self._began)
        self._done("execute_async_v3", self._device.stream)
        self._device.mark(self._ended)
        output = self._device.download(results, shape)
        self.device_seconds = self._device.between(self._began, self._ended)
        return output

    def close(self) -> None:
        """See :class:`Runner`. Free the device's memory and what TensorRT made."""
        self._device.make_current()
        self._buffers.clear()
        # The reverse of the order in which they were made.
        self._context = self._engine = self._runtime = None

    @property
    def _library(self) -> str:
        return f"{self._trt.__name__} {self._trt.__version__}"

    def _made(self, model: Path, make: Any, *arguments: Any) -> Any:
        """Return an object that TensorRT makes; on failure it returns None, or pybind11 raises."""
        take_messages(self._trt)
        try:
            thing = make(*arguments)
        except (TypeError, RuntimeError) as error:
            raise self._refusal(model, str(error)) from error
        if thing is None:
            raise self._refusal(model, "")
        return thing

    def _refusal(self, model: Path, text: str) -> ArtifactError:
        reason = take_messages(self._trt) or text
        return ArtifactError(
            f"{model}: {self._library} on {self._device.name} ({self._device.capability}) "
            f"cannot load it: {reason}",
            fix="export it for this GPU and library, or update the driver",
        )

    def _check_valid(self, model: Path, blob: bytes) -> str:
        """Refuse an engine that RTX says will not run here. Returns its warning, or ""."""
        if not hasattr(self._runtime, "get_engine_validity"):
            return ""
        validity, bits = self._runtime.get_engine_validity(blob)
        known = self._trt.EngineInvalidityDiagnostics.__members__.items()
        reasons = ", ".join(name for name, bit in known if int(bits) & int(bit)).lower()
        text = reasons.replace("_cc", "_compute_capability").replace("_", " ") or "no reason given"
        if validity == self._trt.EngineValidity.INVALID:
            raise self._refusal(model, text)
        return "" if validity == self._trt.EngineValidity.VALID else f"may be slow here: {text}"

    def _tensor_names(self, model: Path) -> tuple[str, str]:
        """Return the names of the one input and the one output, both float32 (B, 3, H, W)."""
        engine, modes = self._engine, self._trt.TensorIOMode
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        inputs = [name for name in names if engine.get_tensor_mode(name) == modes.INPUT]
        outputs = [name for name in names if name not in inputs]
        if not len(inputs) == len(outputs) == 1 or not all(map(self._is_picture, names)):
            raise ArtifactError(f"{model}: not a style net with one float (B, 3, H, W) input")
        return inputs[0], outputs[0]

    def _is_picture(self, name: str) -> bool:
        shape = tuple(self._engine.get_tensor_shape(name))
        float32 = self._engine.get_tensor_dtype(name) == self._trt.DataType.FLOAT
        return float32 and len(shape) == 4 and shape[1] == 3

    def _shapes(self, model: Path) -> Shapes:
        """Return the shapes of the engine's first profile, where a fixed size appears three times.

        Raises ArtifactError if it is not that of a style net.
        """
        profile = self._engine.get_tensor_profile_shape(self._input, 0)
        try:
            least, tuned, most = (tuple(map(int, shape)) for shape in profile)
            batch = tuned[0] if least[0] == most[0] else None
            if least[2:] == most[2:]:
                return Shapes.fixed(tuned[2], tuned[3], batch)
            sizes = [(shape[2], shape[3]) for shape in (least, tuned, most)]
            return Shapes((sizes[1],), sizes[0], sizes[2], batch)
        except (ValueError, IndexError) as error:
            raise ArtifactError(f"{model}: its profile is {profile}: {error}") from error

    def _fits(self, shape: tuple[int, ...]) -> bool:
        right = len(shape) == 4 and shape[1] == 3 and self.takes.takes((shape[2], shape[3]))
        return right and self.takes.batch in (None, shape[0])

    def _done(self, method: str, *arguments: Any) -> None:
        """Call a method of the context that returns False on failure."""
        take_messages(self._trt)
        if not getattr(self._context, method)(*arguments):
            raise RunError(f"TensorRT: {method}: {take_messages(self._trt) or 'refused'}")

    def _buffer(self, name: str, size: int) -> Buffer:
        """Return the device memory of the input or output, reused while it is large enough."""
        found = self._buffers.get(name)
        if found is None or found.size < size:
            found = self._buffers[name] = Buffer(self._device, size)
        return found
