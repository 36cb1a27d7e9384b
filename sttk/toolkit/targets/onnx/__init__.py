"""ONNX, run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.targets.base import Target, Timed
from sttk.toolkit.targets.requirements import GRAPH, Requirements

if TYPE_CHECKING:
    from sttk.toolkit.runtimes.base import Runner, Settings
    from sttk.toolkit.targets.intermediates import InstrumentedModel
    from sttk.toolkit.targets.structure import Structure


class OnnxTarget(Target):
    """See :class:`Target`."""

    def open_model(self, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Target`."""
        from sttk.toolkit.targets.onnx.runner import OnnxRuntimeRunner

        return OnnxRuntimeRunner(model, settings)

    def describe(self, model: Path) -> dict[str, Any]:
        """See :class:`Target`."""
        from sttk.toolkit.targets.onnx.describe import describe

        return describe(model)

    def structure(self, model: Path) -> Structure:
        """See :class:`Target`."""
        from sttk.toolkit.targets.onnx.structure import read

        return read(model)

    def intermediates(self, model: Path) -> InstrumentedModel:
        """See :class:`Target`."""
        from sttk.toolkit.targets.onnx.intermediates import InstrumentedOnnx

        return InstrumentedOnnx(model)


TARGET = OnnxTarget(
    name="onnx",
    model="model.onnx",
    runtime="onnxruntime",
    requires=Requirements(GRAPH, ("onnxruntime",)),
    devices=("arm64",),
    half_precisions=("fp16",),
    mutated=True,
    cpu_rank=1,
    shown=Shapes.any(),
    # ONNX Runtime computes float16 graphs in float32 on a CPU.
    timings=(
        Timed("fp32", "fp32", rank=5, small_rank=10),
        Timed("fp16", "fp32", usual=False, exported="fp16"),
        Timed("int8", "int8", exported="int8", rank=13),
    ),
    conversion_seconds=0.0,
)
