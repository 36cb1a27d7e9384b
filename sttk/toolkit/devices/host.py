"""This machine, with the kernels that its runtimes choose for it."""

from __future__ import annotations

from pathlib import Path

from sttk.toolkit.devices.base import REAL, Device
from sttk.toolkit.host import machine
from sttk.toolkit.runtimes.base import Runner, Settings
from sttk.toolkit.targets.base import Target


class Host(Device):
    """See :class:`Device`."""

    @property
    def kind(self) -> str:
        """See :class:`Device`."""
        return REAL

    @property
    def machine(self) -> str:
        """See :class:`Device`."""
        return machine.architecture()

    def features(self) -> tuple[str, ...]:
        """See :class:`Device`."""
        return machine.cpu().features

    def runs(self, target: Target) -> bool:
        """See :class:`Device`. A target whose runtime is missing says so when it is opened."""
        del target
        return True

    def load(self, target: Target, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Device`."""
        return target.open_model(model, settings)


DEVICE = Host("host", "this machine, with the kernels that its runtimes choose")
