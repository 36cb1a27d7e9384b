"""A model file under the runtime that its suffix stands for."""

from __future__ import annotations

from pathlib import Path

from benchmarks.subjects.base import OnHost
from toolkit.errors import NotRunError
from toolkit.images import Floats
from toolkit.runtimes import open_model
from toolkit.runtimes.base import Node, OnDevice, Profiled, Settings


class ModelSubject(OnHost):
    """Runs an artifact's model.

    Args:
        model: file or package.
        inference_precision: of the arithmetic; None for the model's own.
        threads: of the CPU.
        profile: whether the time of each node will be asked for.
    """

    def __init__(
        self,
        model: Path,
        inference_precision: str | None,
        threads: int,
        profile: bool = False,
    ) -> None:
        self._runner = open_model(model, Settings(inference_precision, threads, profile=profile))
        self.notes = self._runner.notes

    def run(self, batch: Floats) -> Floats:
        """See :class:`benchmarks.subjects.base.Subject`."""
        return self._runner.run(batch)

    def timed(self, batch: Floats) -> tuple[float, Floats]:
        """See :class:`benchmarks.subjects.base.Subject`."""
        seconds, output = super().timed(batch)
        if isinstance(self._runner, OnDevice):
            seconds = self._runner.device_seconds
        return seconds, output

    def profile(self) -> list[Node]:
        """See :class:`toolkit.runtimes.base.Profiled`."""
        if not isinstance(self._runner, Profiled):
            raise NotRunError(f"{self._runner.name} does not tell the time of its nodes")
        return self._runner.profile()
