"""A test of the stopwatch on this machine, by runtimes whose time is known beforehand."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sttk.benchmarks.clocks import ModelClock
from sttk.benchmarks.remote import Remote
from sttk.benchmarks.rounds import TimedProcess, run_interleaved
from sttk.benchmarks.specs import ModelClockSpec
from sttk.benchmarks.statistics import summary
from sttk.benchmarks.subjects.base import SubjectSpec
from sttk.benchmarks.subjects.fakes import HastySpec, SleeperSpec, StaleSpec
from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.imaging.images import Picture, write_image

_SLEEPS = (0.02, 0.1)
_WITHIN = 0.02
_LATE = (0.03, 0.2)
_SECONDS = 2.0


@dataclass(frozen=True)
class Outcome:
    """What the stopwatch made of one fake runtime: whether it was right, and what it said."""

    name: str
    passed: bool
    said: str


def self_test() -> Iterator[Outcome]:
    """Time the fakes like any model: it must measure known sleeps to 2 %, and catch cheats.

    A sleep is never shorter than it says, and longer where the machine is busy: the fastest of many
    is what the stopwatch is held to, so that no neighbour of the process decides.
    """
    with tempfile.TemporaryDirectory(prefix="sttk-") as folder:
        photo = Path(folder) / "photo.png"
        pixels = np.random.default_rng(2016).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        write_image(photo, Picture(pixels))
        for seconds in _SLEEPS:
            yield _slept(photo, seconds)
        for seconds in _LATE:
            name = f"returns {1e3 * seconds:g} ms before its result is there"
            yield _caught(photo, name, HastySpec(seconds))
        yield _caught(photo, "returns the result of the run before", StaleSpec())


def _slept(photo: Path, seconds: float) -> Outcome:
    with _clock(photo, SleeperSpec(seconds)) as clock:
        process = TimedProcess(clock)
        process.warm()
        run_interleaved([process], _SECONDS, lambda _: None)
    fastest, median = min(map(min, process.turns)), summary(process.turns).p50
    said = (
        f"takes {1e3 * seconds:g} ms, measured {1e3 * fastest:.2f} ms at best, "
        f"{1e3 * median:.2f} in the median"
    )
    right = abs(fastest / seconds - 1) <= _WITHIN and median >= fastest
    return Outcome(f"sleeps {1e3 * seconds:g} ms", right, said)


def _caught(photo: Path, name: str, fake: SubjectSpec) -> Outcome:
    try:
        with _clock(photo, fake) as clock:
            process = TimedProcess(clock)
            process.warm()
            process.turn()
    except NotRunError as error:
        return Outcome(name, True, str(error))
    return Outcome(name, False, f"measured {1e3 * summary(process.turns).p50:.3f} ms, and believed")


def _clock(photo: Path, fake: SubjectSpec) -> Remote[ModelClock]:
    return Remote(ModelClockSpec(fake, photo), threads=1)
