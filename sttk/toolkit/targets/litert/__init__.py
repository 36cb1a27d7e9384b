"""LiteRT (TensorFlow Lite) models, channels last."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit.targets.base import ON_DISK, Target, Tensors, Timed
from sttk.toolkit.targets.requirements import GRAPH, Requirements

if TYPE_CHECKING:
    from sttk.toolkit.runtimes.base import Runner, Settings
    from sttk.toolkit.targets.structure import Structure


class LiteRtTarget(Target):
    """See :class:`Target`."""

    def open_model(self, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Target`."""
        from sttk.toolkit.targets.litert.runner import LiteRtRunner

        return LiteRtRunner(model, settings)

    def describe(self, model: Path) -> dict[str, Any]:
        """See :class:`Target`."""
        from sttk.toolkit.targets.litert.runner import describe

        return describe(model)

    def structure(self, model: Path) -> Structure:
        """See :class:`Target`."""
        from sttk.toolkit.targets.litert.structure import read

        return read(model)


TARGET = LiteRtTarget(
    name="litert",
    model="model.tflite",
    runtime="litert",
    requires=Requirements((*GRAPH, "ai-edge-litert"), ("ai-edge-litert",)),
    tensors=Tensors(shape="({B}, H, W, 3)", batches=False, fp16=ON_DISK),
    timings=(
        Timed("fp32", "fp32", inference="f32"),
        Timed("int8", "int8", exported="int8", inference="f32"),
    ),
    conversion_seconds=6.0,
)
