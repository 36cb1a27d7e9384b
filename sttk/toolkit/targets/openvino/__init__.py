"""OpenVINO IR, run by OpenVINO."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit.targets.base import ON_DISK, Target, Tensors, Timed
from sttk.toolkit.targets.requirements import GRAPH, Requirements

if TYPE_CHECKING:
    from sttk.toolkit.runtimes.base import Runner, Settings
    from sttk.toolkit.targets.intermediates import InstrumentedModel
    from sttk.toolkit.targets.structure import Structure


class OpenVinoTarget(Target):
    """See :class:`Target`."""

    def open_model(self, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Target`."""
        from sttk.toolkit.targets.openvino.runner import OpenVinoRunner

        return OpenVinoRunner(model, settings)

    def describe(self, model: Path) -> dict[str, Any]:
        """See :class:`Target`."""
        from sttk.toolkit.targets.openvino.runner import describe

        return describe(model)

    def structure(self, model: Path) -> Structure:
        """See :class:`Target`."""
        from sttk.toolkit.targets.openvino.structure import read

        return read(model)

    def intermediates(self, model: Path) -> InstrumentedModel:
        """See :class:`Target`."""
        from sttk.toolkit.targets.openvino.intermediates import InstrumentedOpenVino

        return InstrumentedOpenVino(model)


TARGET = OpenVinoTarget(
    name="openvino",
    model="model.xml",
    runtime="openvino",
    requires=Requirements((*GRAPH, "openvino"), ("openvino",)),
    devices=("arm64",),
    # The Arm Compute Library takes Winograd's algorithm for 3x3 convolutions: 4.8 times the floor
    # on a picture of low contrast (PyTorch's own candy at 64 px).
    coarse_features=("NEON",),
    mutated=True,
    tensors=Tensors(fp16=ON_DISK),
    cpu_rank=0,
    # OpenVINO computes in the requested precision; int8+bf16 has bf16 between the convolutions.
    timings=(
        Timed("fp32", "fp32", inference="f32", rank=6, small_rank=7),
        Timed("bf16", "bf16", inference="bf16", feature="bf16", rank=8, small_rank=9),
        Timed("fp16", "fp16", usual=False, exported="fp16", inference="f16"),
        Timed("int8", "int8", exported="int8", inference="f32", rank=11, small_rank=12),
        Timed(
            "int8+bf16",
            "int8",
            exported="int8",
            inference="bf16",
            feature="bf16",
            rank=14,
            small_rank=15,
        ),
    ),
    conversion_seconds=0.5,
)
