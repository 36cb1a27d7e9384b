"""What a stopwatch needs from a model."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np

from sttk.toolkit.imaging.images import Floats


class Subject(Protocol):
    """A model, loaded.

    Attributes:
        notes: what a reader of its times must know.
    """

    notes: tuple[str, ...]

    def run(self, batch: Floats) -> Floats:
        """Run (B, 3, H, W) float32 RGB in 0..255 -> (B, 3, H', W'), in the host's memory."""

    def timed(self, batch: Floats) -> tuple[float, Floats]:
        """Return the seconds of such a run, and its result. On a GPU, the device's time alone."""


class SubjectSpec(Protocol):
    """What a process needs in order to load a model: plain values that can be pickled."""

    def make(self, profile: bool = False) -> Subject:
        """Load the model.

        Args:
            profile: whether the time of each node will be asked for.
        """


class OnHost(ABC):
    """The base of subjects that run where their arrays are."""

    @abstractmethod
    def run(self, batch: Floats) -> Floats:
        """See :class:`Subject`."""

    def timed(self, batch: Floats) -> tuple[float, Floats]:
        """See :class:`Subject`. Whatever comes back is made an array within the time."""
        started = time.perf_counter()
        output = np.asarray(self.run(batch))
        return time.perf_counter() - started, output
