"""TensorRT engines, run by TensorRT on a CUDA device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit.targets.base import Target, Timed
from sttk.toolkit.targets.requirements import GRAPH
from sttk.toolkit.targets.trt.requirements import TensorrtRequirements

if TYPE_CHECKING:
    from sttk.toolkit.artifact.manifest import Manifest
    from sttk.toolkit.runtimes.base import Check, Runner, Settings


class TensorrtTarget(Target):
    """See :class:`Target`."""

    def open_model(self, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Target`."""
        from sttk.toolkit.targets.trt.runner import TensorrtRunner

        return TensorrtRunner(model, settings)

    def describe(self, model: Path) -> dict[str, Any]:
        """See :class:`Target`."""
        from sttk.toolkit.targets.trt.engine import describe

        return describe(model)

    def checks(self, model: Path, manifest: Manifest | None) -> tuple[Check, ...]:
        """See :class:`Target`."""
        from sttk.toolkit.targets.trt.checks import check

        return check(model, manifest)


TARGET = TensorrtTarget(
    name="trt",
    model="model.engine",
    runtime="tensorrt",
    requires=TensorrtRequirements(GRAPH, needs_gpu=True),
    selectable=False,
    timings=(
        Timed("fp16", "cuda fp16", exported="fp16", rank=2),
        Timed("fp32", "cuda fp32", usual=False),
        Timed("int8", "cuda int8", usual=False, exported="int8"),
    ),
)
