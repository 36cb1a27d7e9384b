"""GPUs that a runtime reaches through Vulkan, in a process with the driver's variables."""

from __future__ import annotations

import os
import sys
from abc import abstractmethod
from pathlib import Path

from sttk.toolkit.devices.base import REAL, SOFTWARE, Need
from sttk.toolkit.devices.drivers import VARIABLES, Driver
from sttk.toolkit.devices.remote import RemoteDevice, RemoteRunner
from sttk.toolkit.host.packages import version_of
from sttk.toolkit.runtimes.base import Runner, Settings
from sttk.toolkit.targets.base import Target
from sttk.toolkit.targets.requirements import fix


class VulkanGpu(RemoteDevice):
    """A device whose models run in a process of their own: a driver that crashes ends no more."""

    @abstractmethod
    def driver(self) -> Driver | None:
        """Return the driver that it uses here, or None."""

    @abstractmethod
    def wanted(self) -> Need:
        """Return what has to be installed where there is no driver."""

    @property
    def kind(self) -> str:
        """See :class:`Device`."""
        found = self.driver()
        return REAL if found and not found.software else SOFTWARE

    @property
    def machine(self) -> str:
        """See :class:`Device`."""
        return "a GPU"

    def features(self) -> tuple[str, ...]:
        """See :class:`Device`. Only the driver knows them, once a model is loaded."""
        return ()

    def lacking(self, target: Target | None = None) -> tuple[Need, ...]:
        """See :class:`Device`."""
        runs = target.requires.runs if target else ()
        absent = [name for name in runs if version_of(name) is None]
        libraries = [Need(name, fix(target.name)) for name in absent] if target else []
        return (*libraries, *(() if self.driver() else (self.wanted(),)))

    def load(self, target: Target, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Device`."""
        del target  # the process finds it by the model's suffix
        found = self.driver()
        own = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        environment = {**own, **(found.environment if found else {}), **_own_package()}
        return RemoteRunner([sys.executable], environment, self.name, model, settings)


def _own_package() -> dict[str, str]:
    """Return the variable by which the process finds the modules that this one has."""
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
