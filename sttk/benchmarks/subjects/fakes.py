"""Runtimes whose time is known beforehand, for the stopwatch's own test (``--self-test``)."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np

from sttk.benchmarks.subjects.base import OnHost
from sttk.toolkit.imaging.images import Floats


class Sleeper(OnHost):
    """Takes ``seconds`` and gives the picture back.

    It watches the clock for the last millisecond: a system wakes its sleepers late.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def run(self, batch: Floats) -> Floats:
        """See :class:`Subject`."""
        until = time.perf_counter() + self._seconds
        time.sleep(max(0.0, self._seconds - 1e-3))
        while time.perf_counter() < until:
            pass
        return np.array(batch)


class Hasty(OnHost):
    """Returns at once; its result comes ``seconds`` later, as from a queue nobody waited for."""

    notes: tuple[str, ...] = ()

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def run(self, batch: Floats) -> Floats:
        """See :class:`Subject`."""
        output = np.zeros_like(batch)
        threading.Timer(self._seconds, np.copyto, (output, batch)).start()
        return output


class Stale(OnHost):
    """Returns at once the result of the run before this one, as from an unread buffer."""

    notes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._last: Floats | None = None

    def run(self, batch: Floats) -> Floats:
        """See :class:`Subject`."""
        output = np.zeros_like(batch) if self._last is None else self._last
        self._last = batch.copy()
        return output


@dataclass(frozen=True)
class SleeperSpec:
    """The spec of a :class:`Sleeper`."""

    seconds: float

    def make(self, profile: bool = False) -> Sleeper:  # noqa: ARG002 (it has no nodes)
        """See ``sttk.benchmarks.subjects.base.SubjectSpec``."""
        return Sleeper(self.seconds)


@dataclass(frozen=True)
class HastySpec:
    """The spec of a :class:`Hasty`."""

    seconds: float

    def make(self, profile: bool = False) -> Hasty:  # noqa: ARG002
        """See ``sttk.benchmarks.subjects.base.SubjectSpec``."""
        return Hasty(self.seconds)


@dataclass(frozen=True)
class StaleSpec:
    """The spec of a :class:`Stale`."""

    def make(self, profile: bool = False) -> Stale:  # noqa: ARG002
        """See ``sttk.benchmarks.subjects.base.SubjectSpec``."""
        return Stale()
