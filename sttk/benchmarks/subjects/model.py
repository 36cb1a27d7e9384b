"""A model file under the runtime that its suffix stands for."""

from __future__ import annotations

from pathlib import Path

from sttk.benchmarks.subjects.base import OnHost
from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.runtimes.base import Node, OnDevice, Profiled, Settings
from sttk.toolkit.targets import open_model


class ModelSubject(OnHost):
    """Runs an artifact's model.

    Args:
        model: the model's file or package.
        settings: how its runtime is to run it.
    """

    def __init__(self, model: Path, settings: Settings) -> None:
        self._runner = open_model(model, settings)
        self.notes = self._runner.notes

    def run(self, batch: Floats) -> Floats:
        """See :class:`Subject`."""
        return self._runner.run(batch)

    def timed(self, batch: Floats) -> tuple[float, Floats]:
        """See :class:`Subject`."""
        seconds, output = super().timed(batch)
        if isinstance(self._runner, OnDevice):
            seconds = self._runner.device_seconds
        return seconds, output

    def profile(self) -> list[Node]:
        """See :class:`Profiled`."""
        if not isinstance(self._runner, Profiled):
            raise NotRunError(f"{self._runner.name} does not tell the time of its nodes")
        return self._runner.profile()
