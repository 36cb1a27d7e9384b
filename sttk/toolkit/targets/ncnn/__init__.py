"""ncnn models: a text file of layers and a file of weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit.targets.base import ON_DISK, Target, Tensors, Timed
from sttk.toolkit.targets.requirements import Requirements

if TYPE_CHECKING:
    from sttk.toolkit.runtimes.base import Runner, Settings
    from sttk.toolkit.targets.intermediates import InstrumentedModel
    from sttk.toolkit.targets.structure import Structure

_VULKAN = "vulkan"


class NcnnTarget(Target):
    """See :class:`Target`."""

    def open_model(self, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Target`."""
        from sttk.toolkit.targets.ncnn.runner import NcnnRunner

        return NcnnRunner(model, settings)

    def open_on(self, device: str, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Target`."""
        from sttk.toolkit.targets.ncnn.runner import NcnnRunner

        return NcnnRunner(model, settings, vulkan=device == _VULKAN)

    def describe(self, model: Path) -> dict[str, Any]:
        """See :class:`Target`."""
        from sttk.toolkit.targets.ncnn.runner import describe

        return describe(model)

    def intermediates(self, model: Path) -> InstrumentedModel:
        """See :class:`Target`."""
        from sttk.toolkit.targets.ncnn.intermediates import InstrumentedNcnn

        return InstrumentedNcnn(model)

    def structure(self, model: Path) -> Structure:
        """See :class:`Target`."""
        from sttk.toolkit.targets.ncnn.structure import read

        return read(model)


TARGET = NcnnTarget(
    name="ncnn",
    model="model.param",
    runtime="ncnn",
    requires=Requirements(("pnnx",), ("ncnn",)),
    devices=("arm64", _VULKAN),
    # An app that sets no option gets float16 on ARM CPUs and on GPUs, whatever the precision of the
    # file. But the layers of all others say that they compute in float32 (exporters/ncnn/half.py).
    half_precisions=("fp16",),
    half_features=("NEON fp16", "Vulkan fp16", "Vulkan fp16 storage"),
    tensors=Tensors("in0", "out0", "(3, H, W)", batches=False, fp16=ON_DISK),
    timings=(
        Timed("fp32", "fp32", inference="f32"),
        Timed("bf16", "fp32", usual=False, inference="bf16"),
        Timed("int8", "int8", exported="int8", inference="f32"),
    ),
    conversion_seconds=8.0,
)
