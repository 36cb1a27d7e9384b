"""Core AI packages (beta), run by Core AI's own interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit.targets.base import Target
from sttk.toolkit.targets.requirements import Requirements

if TYPE_CHECKING:
    from sttk.toolkit.runtimes.base import Runner, Settings


class CoreAiTarget(Target):
    """See :class:`Target`."""

    def open_model(self, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Target`."""
        from sttk.toolkit.targets.coreai.runner import CoreAiRunner

        return CoreAiRunner(model, settings)

    def describe(self, model: Path) -> dict[str, Any]:
        """See :class:`Target`."""
        from sttk.toolkit.targets.coreai.runner import describe

        return describe(model)


TARGET = CoreAiTarget(
    name="coreai",
    model="model.aimodel",
    is_package=True,
    runtime="coreai",
    requires=Requirements(("coreai-torch", "coreai-core"), ("coreai-core",)),
    int8_arithmetic="fp16",
    # In beta: only exported when it is named.
    in_all=False,
    timed=False,
    selectable=False,
)
