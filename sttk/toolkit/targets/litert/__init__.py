"""LiteRT (TensorFlow Lite) models, channels last."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit.core.rungs import SAME_STYLE
from sttk.toolkit.targets.base import HALF_RESULTS, ON_DISK, Target, Tensors, Timed
from sttk.toolkit.targets.requirements import GRAPH, Requirements

if TYPE_CHECKING:
    from sttk.toolkit.runtimes.base import Runner, Settings
    from sttk.toolkit.targets.intermediates import InstrumentedModel
    from sttk.toolkit.targets.structure import Structure


_GPU = "litert-gpu"


class LiteRtTarget(Target):
    """See :class:`Target`."""

    def open_model(self, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Target`."""
        from sttk.toolkit.targets.litert.runner import LiteRtRunner

        return LiteRtRunner(model, settings)

    def open_on(self, device: str, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Target`."""
        from sttk.toolkit.targets.litert.gpu import LiteRtGpuRunner

        if device == _GPU:
            return LiteRtGpuRunner(model, settings)
        return self.open_model(model, settings)

    def describe(self, model: Path) -> dict[str, Any]:
        """See :class:`Target`."""
        from sttk.toolkit.targets.litert.runner import describe

        return describe(model)

    def intermediates(self, model: Path) -> InstrumentedModel:
        """See :class:`Target`."""
        from sttk.toolkit.targets.litert.intermediates import InstrumentedLiteRt

        return InstrumentedLiteRt(model)

    def emulated(self, model: Path) -> Runner:
        """See :class:`Target`."""
        from sttk.toolkit.targets.litert.emulated import EmulatedLiteRt

        return EmulatedLiteRt(model)

    def structure(self, model: Path) -> Structure:
        """See :class:`Target`."""
        from sttk.toolkit.targets.litert.structure import read

        return read(model)


TARGET = LiteRtTarget(
    name="litert",
    model="model.tflite",
    runtime="litert",
    requires=Requirements((*GRAPH, "ai-edge-litert"), ("ai-edge-litert",)),
    devices=("arm64", _GPU),
    half_precisions=("fp32", "fp16", "int8"),
    half_features=("GPU fp16", HALF_RESULTS),
    half_promise=SAME_STYLE,  # where every result and every sum is in float16
    tensors=Tensors(shape="({B}, H, W, 3)", batches=False, fp16=ON_DISK),
    timings=(
        Timed("fp32", "fp32", inference="f32"),
        Timed("int8", "int8", exported="int8", inference="f32"),
    ),
    conversion_seconds=6.0,
)
