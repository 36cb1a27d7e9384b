"""Web pages, run by ONNX Runtime Web in Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit.targets.base import Target, Timed
from sttk.toolkit.targets.requirements import GRAPH
from sttk.toolkit.targets.web.requirements import WebRequirements

if TYPE_CHECKING:
    from sttk.toolkit.runtimes.base import Runner, Settings
    from sttk.toolkit.targets.intermediates import InstrumentedModel


class WebTarget(Target):
    """See :class:`Target`."""

    def open_model(self, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Target`."""
        from sttk.toolkit.targets.web.runner import WebRunner

        return WebRunner(model, settings)

    def open_on(self, device: str, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Target`. The only such device is WebGPU."""
        from sttk.toolkit.targets.web.runner import WebRunner

        return WebRunner(model, settings, backend=device)

    def describe(self, model: Path) -> dict[str, Any]:
        """See :class:`Target`."""
        from sttk.toolkit.targets.web.runner import describe

        return describe(model)

    def intermediates(self, model: Path) -> InstrumentedModel:
        """See :class:`Target`."""
        from sttk.toolkit.targets.web.intermediates import InstrumentedPage

        return InstrumentedPage(model)


TARGET = WebTarget(
    name="web",
    model="index.html",
    runtime="onnxruntime-web",
    requires=WebRequirements(GRAPH),
    devices=("webgpu",),
    half_precisions=("fp16",),
    half_features=("WebGPU fp16",),
    # The export may have to download the runtime, 33 MB: only exported when it is named.
    in_all=False,
    timed=False,
    timings=(Timed("fp32", "fp32", usual=False),),
)
