"""A runner for models whose users clamp the output themselves."""

from __future__ import annotations

import numpy as np

from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.runtimes.base import Closing, Runner


class ClampedRunner(Closing):
    """A runner whose output is clamped.

    Attributes:
        changed: whether that made a difference.
        inner: the runner whose output is clamped.
    """

    def __init__(self, runner: Runner, low: float, high: float) -> None:
        self.name, self.takes, self.notes = runner.name, runner.takes, runner.notes
        self.changed = False
        self.inner, self._range = runner, (low, high)

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        output = self.inner.run(batch)
        clamped = np.clip(output, *self._range)
        self.changed = self.changed or not np.array_equal(output, clamped)
        return clamped

    def close(self) -> None:
        """See :class:`Runner`."""
        self.inner.close()
