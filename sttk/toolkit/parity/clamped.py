"""A runner for models whose users clamp the output themselves."""

from __future__ import annotations

import numpy as np

from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.runtimes.base import Closing, Runner


class ClampedRunner(Closing):
    """A runner whose output is clamped; ``changed`` is set once that made a difference."""

    def __init__(self, runner: Runner, low: float, high: float) -> None:
        self.name, self.takes, self.notes = runner.name, runner.takes, runner.notes
        self.changed = False
        self._runner, self._range = runner, (low, high)

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        output = self._runner.run(batch)
        clamped = np.clip(output, *self._range)
        self.changed = self.changed or not np.array_equal(output, clamped)
        return clamped

    def close(self) -> None:
        """See :class:`Runner`."""
        self._runner.close()
