"""ONNX Runtime on the CPU."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sttk.toolkit.core.errors import ArtifactError, RunError, UsageError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.io.files import MOST_BYTES
from sttk.toolkit.io.json_text import read_json
from sttk.toolkit.runtimes.base import WIDE, Choices, Closing, Node, Settings
from sttk.toolkit.targets.onnx.widen import widened

if TYPE_CHECKING:
    import onnxruntime
else:
    onnxruntime = Lazy("onnxruntime", "onnx")

# Warnings report optimisations that a user cannot act on, and errors are raised anyway.
_FATAL_ONLY = 4
# The suffix of the events in a profile that time a node's own work.
_KERNEL = "_kernel_time"


class OnnxRuntimeRunner(Closing):
    """A runner of ONNX files with one (B, 3, H, W) or (B, H, W, 3) input, and one such output.

    They are of float32 or of bytes.

    The graph determines the precision of the arithmetic; with ``f32``, its float16 parts are
    computed in float32, with the same weights.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        ArtifactError: ONNX Runtime cannot load the file, or it is not a style net.
    """

    name = "onnxruntime"
    choices = Choices(threads=True, layouts=("plain",))

    def __init__(self, model: Path, settings: Settings | None = None) -> None:
        precision = settings.inference_precision if settings else None
        if precision not in (None, "f32"):
            raise UsageError(
                f"onnxruntime has no --inference-precision {precision}: its graph says it",
                fix="f32 is the only other one",
            )
        source = widened(model) if precision else str(model)
        self._session = _session(model, source, settings or Settings())
        self.notes: tuple[str, ...] = (WIDE,) if precision else ()
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shape = inputs[0].shape if len(inputs) == len(outputs) == 1 else []
        channels = [shape[axis] for axis in (1, 3)] if len(shape) == 4 else []
        kind = _TYPES.get(inputs[0].type) if 3 in channels else None
        if kind is None:
            raise ArtifactError(
                f"{model}: not a style net with one (B, 3, H, W) or (B, H, W, 3) input of floats "
                "or bytes"
            )
        self._input = inputs[0].name
        self.layout, self.type = "nchw" if channels[0] == 3 else "nhwc", kind
        last = self.layout == "nhwc"
        self.takes = _takes(model, [shape[0], 3, *(shape[1:3] if last else shape[2:])])

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        try:
            (output,) = self._session.run(None, {self._input: self._taken(batch)})
        # onnxruntime's exceptions share no base class below Exception.
        except Exception as error:
            raise RunError(f"ONNX Runtime: {' '.join(str(error).split())[:200]}") from error
        found: Floats = np.asarray(output, dtype=np.float32)
        last = found.ndim == 4 and found.shape[1] != 3 == found.shape[3]
        return np.ascontiguousarray(found.transpose(0, 3, 1, 2)) if last else found

    def _taken(self, batch: Floats) -> npt.NDArray[Any]:
        """Return the batch in the model's layout and type."""
        if self.layout == "nhwc":
            batch = np.ascontiguousarray(batch.transpose(0, 2, 3, 1))
        return np.rint(batch).clip(0, 255).astype(np.uint8) if self.type == "uint8" else batch

    def profile(self) -> list[Node]:
        """See :class:`Profiled`. The times are means of all runs."""
        file = Path(self._session.end_profiling())
        events = read_json(file, MOST_BYTES)
        file.unlink()
        took: dict[tuple[str, str], list[float]] = {}
        for event in events:
            if event.get("cat") == "Node" and event["name"].endswith(_KERNEL):
                node = event["name"].removesuffix(_KERNEL), event["args"]["op_name"]
                took.setdefault(node, []).append(event["dur"] / 1e6)
        return [Node(*node, fmean(seconds)) for node, seconds in took.items()]


_TYPES = {"tensor(float)": "float", "tensor(uint8)": "uint8"}


def _session(model: Path, source: str | bytes, settings: Settings) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.intra_op_num_threads = settings.threads or 0  # 0: ONNX Runtime's choice
    if settings.layout == "plain":
        # All optimisations but those of the last stage, which is the blocked layout (NCHWc).
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    if settings.profile:
        options.enable_profiling = True
        # ONNX Runtime only appends a time in seconds, which several sessions may share.
        prefix = f"sttk-onnxruntime-{uuid.uuid4().hex}"
        options.profile_file_prefix = str(Path(tempfile.gettempdir()) / prefix)
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    # onnxruntime's exceptions share no base class below Exception.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ArtifactError(f"{model}: ONNX Runtime cannot load it: {reason}") from error


def _takes(model: Path, shape: list[int | str | None]) -> Shapes:
    """Return the shapes that the model takes; fixed axes are numbers, free ones names or None."""
    batch, _, height, width = (axis if isinstance(axis, int) else None for axis in shape)
    if (height is None) != (width is None):
        raise ArtifactError(f"{model}: one side of its input is fixed and the other free: {shape}")
    sizes = ((height, width),) if height is not None and width is not None else ()
    return Shapes(sizes, batch=batch)
