"""ncnn models: a text file of layers and a file of weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit.core.rungs import FAITHFUL
from sttk.toolkit.targets.base import ON_DISK, Target, Tensors, Timed
from sttk.toolkit.targets.requirements import Requirements

if TYPE_CHECKING:
    from sttk.toolkit.runtimes.base import Runner, Settings


class NcnnTarget(Target):
    """See :class:`Target`."""

    def open_model(self, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Target`."""
        from sttk.toolkit.targets.ncnn.runner import NcnnRunner

        return NcnnRunner(model, settings)

    def promise_in_half(self, precision: str) -> str:
        """Return the rung that a model promises where ncnn computes in float16.

        That is ncnn's own choice on ARM CPUs and on GPUs. Only fp16 models follow it: the layers
        of all others say that they compute in float32 (``exporters/ncnn/half.py``).

        Args:
            precision: one of ``contract.PRECISIONS``.
        """
        return FAITHFUL if precision == "fp16" else self.promise(precision)

    def describe(self, model: Path) -> dict[str, Any]:
        """See :class:`Target`."""
        from sttk.toolkit.targets.ncnn.runner import describe

        return describe(model)


TARGET = NcnnTarget(
    name="ncnn",
    model="model.param",
    runtime="ncnn",
    requires=Requirements(("pnnx",), ("ncnn",)),
    tensors=Tensors("in0", "out0", "(3, H, W)", batches=False, fp16=ON_DISK),
    timings=(
        Timed("fp32", "fp32", inference="f32"),
        Timed("bf16", "fp32", usual=False, inference="bf16"),
        Timed("int8", "int8", exported="int8", inference="f32"),
    ),
    conversion_seconds=8.0,
)
