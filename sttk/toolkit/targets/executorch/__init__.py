"""ExecuTorch programs for its XNNPACK backend."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit.targets.base import Target, Tensors, Timed
from sttk.toolkit.targets.requirements import Requirements

if TYPE_CHECKING:
    from sttk.toolkit.runtimes.base import Runner, Settings


class ExecuTorchTarget(Target):
    """See :class:`Target`."""

    def open_model(self, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Target`."""
        from sttk.toolkit.targets.executorch.runner import ExecuTorchRunner

        return ExecuTorchRunner(model, settings)

    def describe(self, model: Path) -> dict[str, Any]:
        """See :class:`Target`."""
        from sttk.toolkit.targets.executorch.runner import describe

        return describe(model)


TARGET = ExecuTorchTarget(
    name="executorch",
    model="model.pte",
    runtime="executorch",
    requires=Requirements(("executorch",), ("executorch",)),
    tensors=Tensors(fp16="float16 arithmetic, with weights rounded to it"),
    timings=(
        Timed("fp32", "fp32"),
        Timed("fp16", "fp16", usual=False, exported="fp16"),
        Timed("int8", "int8", exported="int8"),
    ),
    conversion_seconds=25.0,
    # Its event tracer names the operators of a delegated part, without their results.
    opaque="ExecuTorch records only what XNNPACK's parts of a program take and give",
)
