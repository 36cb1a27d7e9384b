"""Float16 as phones' GPUs compute in it, even float32 files: sttk's own interpreters.

Every result is rounded to float16, and convolutions add up in float16. The same on every host.
"""

from __future__ import annotations

from pathlib import Path

from sttk.toolkit.devices.base import EMULATED, Device
from sttk.toolkit.runtimes.base import Runner, Settings
from sttk.toolkit.targets.base import HALF_RESULTS, Target


class Half(Device):
    """See :class:`Device`."""

    @property
    def kind(self) -> str:
        """See :class:`Device`."""
        return EMULATED

    @property
    def machine(self) -> str:
        """See :class:`Device`."""
        return "a phone's GPU"

    def features(self) -> tuple[str, ...]:
        """See :class:`Device`."""
        return (HALF_RESULTS, "float16 sums")

    def runs(self, target: Target) -> bool:
        """See :class:`Device`."""
        return target.has_emulation

    def judges(self, target: Target, precision: str) -> bool:
        """See :class:`Device`: a model that no such GPU computes in float16 proves nothing here."""
        return self.runs(target) and precision in target.half_precisions

    def load(self, target: Target, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Device`."""
        del settings
        return target.emulated(model)


DEVICE = Half("f16", "float16 results and sums, as phones' GPUs compute; sttk's own interpreters")
