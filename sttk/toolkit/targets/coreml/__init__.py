"""Core ML packages, run by Core ML on macOS and by sttk's own interpreter elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit.core.rungs import SAME_STYLE
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.targets.base import HALF_RESULTS, Target, Tensors, Timed
from sttk.toolkit.targets.requirements import Requirements

if TYPE_CHECKING:
    from sttk.toolkit.artifact.manifest import Manifest
    from sttk.toolkit.runtimes.base import Check, Runner, Settings
    from sttk.toolkit.targets.intermediates import InstrumentedModel
    from sttk.toolkit.targets.structure import Structure


class CoreMLTarget(Target):
    """See :class:`Target`."""

    def open_model(self, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Target`."""
        from sttk.toolkit.targets.coreml.runner import CoreMLRunner

        return CoreMLRunner(model, settings)

    def not_timed_here(self) -> str:
        """See :class:`Target`."""
        if sys.platform == "darwin":
            return ""
        return "Core ML is a part of macOS; the time of sttk's interpreter means nothing"

    def describe(self, model: Path) -> dict[str, Any]:
        """See :class:`Target`."""
        from sttk.toolkit.targets.coreml.describe import describe

        return describe(model)

    def checks(self, model: Path, manifest: Manifest | None) -> tuple[Check, ...]:
        """See :class:`Target`."""
        from sttk.toolkit.targets.coreml.checks import check

        return check(model, manifest)

    def structure(self, model: Path) -> Structure:
        """See :class:`Target`."""
        from sttk.toolkit.targets.coreml.structure import read

        return read(model)

    def intermediates(self, model: Path) -> InstrumentedModel:
        """See :class:`Target`."""
        from sttk.toolkit.targets.coreml.intermediates import InstrumentedCoreML

        return InstrumentedCoreML(model)

    def emulated(self, model: Path) -> Runner:
        """See :class:`Target`."""
        from sttk.toolkit.targets.coreml.runner import EmulatedCoreML

        return EmulatedCoreML(model)


TARGET = CoreMLTarget(
    name="coreml",
    model="model.mlpackage",
    is_package=True,
    runtime="coreml",
    requires=Requirements(("coremltools",), ("coremltools",), "by sttk's interpreter"),
    # A float32 package is computed in float32 on a GPU too, and not on a Neural Engine.
    half_precisions=("fp16", "int8"),
    half_features=(HALF_RESULTS,),
    half_promise=SAME_STYLE,  # where every result and every sum is in float16
    mutated=True,
    # The name that Turi Create and Create ML use.
    tensors=Tensors(output="stylizedImage"),
    int8_arithmetic="fp16",
    timed=False,
    selectable=False,
    shown=Shapes.fixed(256, 256),
    timings=(
        Timed("fp16", "fp16", exported="fp16", rank=4),
        Timed("int8", "int8", usual=False, exported="int8"),
    ),
)
