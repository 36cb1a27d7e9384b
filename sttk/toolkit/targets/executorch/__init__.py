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

    def open_cross(
        self, model: Path, settings: Settings | None, folder: Path, emulator: Path | None
    ) -> Runner:
        """See :class:`Target`."""
        from sttk.toolkit.targets.executorch.arm64.parts import Parts
        from sttk.toolkit.targets.executorch.arm64.runner import EmulatedExecuTorchRunner

        return EmulatedExecuTorchRunner(model, Parts(folder, emulator), settings)

    def lacking_cross(self, folder: Path, emulator: Path | None) -> tuple[str, ...]:
        """See :class:`Target`."""
        from sttk.toolkit.targets.executorch.arm64.parts import Parts

        return Parts(folder, emulator).lacking()

    def describe(self, model: Path) -> dict[str, Any]:
        """See :class:`Target`."""
        from sttk.toolkit.targets.executorch.runner import describe

        return describe(model)


TARGET = ExecuTorchTarget(
    name="executorch",
    model="model.pte",
    runtime="executorch",
    requires=Requirements(("executorch",), ("executorch",)),
    devices=("arm64",),
    half_precisions=("fp16",),
    half_features=("NEON fp16", "AVX-512 fp16"),
    tensors=Tensors(fp16="float16 arithmetic, with weights rounded to it"),
    timings=(
        Timed("fp32", "fp32"),
        Timed("fp16", "fp16", usual=False, exported="fp16"),
        Timed("int8", "int8", exported="int8"),
    ),
    cross_packages=("g++-aarch64-linux-gnu",),
    conversion_seconds=25.0,
    # Its event tracer names the operators of a delegated part, without their results.
    opaque="ExecuTorch records only what XNNPACK's parts of a program take and give",
)
