"""Stopwatches: one holds a model, one holds Gatys' optimisation. Each lives in its own process.

A model's stopwatch looks at what it times. Two pictures alternate, and each result has to be that
of the picture that went in: a runtime that returns before its result is complete, or returns an old
one, is caught. Known limit: one whose result is half complete, and whose other half comes later
than twice the time that it claims, but 50 ms at least and half a second at most, is believed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sttk.benchmarks.subjects.base import SubjectSpec
from sttk.toolkit.core.errors import RunError
from sttk.toolkit.host.memory import peak
from sttk.toolkit.imaging.images import Floats, from_batch, read_image, to_batch
from sttk.toolkit.runtimes.base import Node, Profiled

_STEADY_RUNS = 3
_STEADY_SPREAD = 1.10
_WARM_RUNS, _WARM_SECONDS = 30, 4.0
_ENDLESS = 10**9
_HASTY = "returned before its result was there: its time means nothing"
# The wait for a late result, in runs of the model, and its bounds in seconds.
_LATE_RUNS, _LATE_LEAST, _LATE_MOST = 2.0, 0.05, 0.5


@dataclass(frozen=True)
class Warmed:
    """What a stopwatch says once what it holds is warm; all times in seconds.

    Attributes:
        seconds: the median of the last runs.
        steady: whether they agreed.
        load: the time until the model could be run.
        first: the first run.
        notes: what a reader of its times must know.
    """

    seconds: float
    steady: bool
    load: float
    first: float
    notes: tuple[str, ...] = ()


class Clock(Protocol):
    """A stopwatch, and what it holds."""

    def warm(self) -> Warmed:
        """Run until three runs agree, or the patience is at its end."""

    def turn(self, runs: int) -> list[float]:
        """Return the seconds of each of ``runs`` runs in a row."""

    def whole(self) -> float | None:
        """Return the seconds from a picture file to 8-bit pixels; None if there are none."""

    def memory(self) -> int | None:
        """Return the most bytes that this process took; None where the system does not tell."""


class ModelClock:
    """Times a model.

    Args:
        subject: the spec of the model.
        photo: a picture file of the size that is timed.
        batch: the number of pictures at once.
        profile: whether :meth:`profile` will be asked.
        whole: whether :meth:`whole` times anything.
        checked: whether results are checked.
    """

    def __init__(
        self,
        subject: SubjectSpec,
        photo: Path,
        batch: int = 1,
        profile: bool = False,
        whole: bool = True,
        checked: bool = True,
    ) -> None:
        self._whole, self._checked = whole, checked
        self._photo, self._batch = photo, batch
        picture = self._decoded()
        # Turned upside down: as natural a picture, of the same size.
        self._inputs = [picture, np.ascontiguousarray(picture[:, :, ::-1])]
        self._turn = cycle((0, 1))
        started = time.perf_counter()
        self._subject = subject.make(profile)
        self._load = time.perf_counter() - started
        self._first = self._subject.timed(picture)[0]
        self._expected: list[Floats] = []

    def warm(self) -> Warmed:
        """Run until three runs agree, and check that results belong to their pictures.

        Raises:
            RunError: a run returned before its result was complete.
        """
        runs, steady = _warmed(lambda: self._subject.timed(self._inputs[0])[0])
        if self._checked:
            self._learn(max(runs))
        notes = tuple(self._subject.notes)
        return Warmed(statistics.median(runs), steady, self._load, self._first, notes)

    def turn(self, runs: int) -> list[float]:
        """Return the seconds of each of ``runs`` runs in a row; check the last one's result.

        Raises:
            RunError: the result is not the picture's.
        """
        samples = []
        for _ in range(runs):
            at = next(self._turn)
            seconds, output = self._subject.timed(self._inputs[at])
            samples.append(seconds)
        if self._checked:
            self._check(at, output)
        return samples

    def whole(self) -> float | None:
        """Return the seconds from a file to 8-bit pictures: decoded, prepared, run, rounded."""
        if not self._whole:
            return None
        started = time.perf_counter()
        output = self._subject.run(self._decoded())
        for index in range(self._batch):
            from_batch(output[index : index + 1])
        return time.perf_counter() - started

    def memory(self) -> int | None:
        """Return the most bytes that this process took."""
        return peak()

    def profile(self, runs: int) -> list[Node]:
        """Return the nodes with their times, the slowest first; none if the subject has none."""
        if not isinstance(self._subject, Profiled):
            return []
        for _ in range(runs):
            self._subject.run(self._inputs[0])
        return sorted(self._subject.profile(), key=lambda node: -node.seconds)

    def _decoded(self) -> Floats:
        return np.concatenate([to_batch(read_image(self._photo).rgb) for _ in range(self._batch)])

    def _learn(self, seconds: float) -> None:
        """Learn the results of both pictures; ``seconds`` is the slowest of the last runs."""
        self._expected = [self._settled(picture, seconds) for picture in self._inputs]
        if np.array_equal(self._expected[0], self._expected[1]):
            raise RunError(f"two pictures gave the same result: it is deaf, or {_HASTY}")

    def _settled(self, picture: Floats, seconds: float) -> Floats:
        """Return a picture's result of its second run, once nothing more can come in."""
        late = min(max(_LATE_LEAST, _LATE_RUNS * seconds), _LATE_MOST)
        self._subject.timed(picture)
        time.sleep(late)
        _, output = self._subject.timed(picture)
        early: Floats = output.copy()
        time.sleep(late)
        if not np.array_equal(early, output, equal_nan=True):
            raise RunError(f"it {_HASTY}")
        return early

    def _check(self, at: int, output: Floats) -> None:
        own, other = (np.abs(output - self._expected[i]).mean() for i in (at, 1 - at))
        if not own < other:
            raise RunError(f"it {_HASTY}")


class IterationClock:
    """Times iterations of Gatys' optimisation.

    Args:
        photo: a JPEG file of the size that is timed. It is the painting, too: no time depends on
            what it shows.
        preset: the objective's preset.
        vgg: weights of the loss network; None for those at hand.
        threads: torch's CPU threads.

    Raises:
        SttkError: see ``sttk.toolkit.gatys.run.Run.prepare``.
    """

    def __init__(self, photo: Path, preset: str, vgg: Path | None, threads: int) -> None:
        started = time.perf_counter()
        self._steps = _optimisation(photo, preset, vgg, threads)
        next(self._steps)  # the start
        self._load = time.perf_counter() - started
        self._taken: list[float] = []

    def warm(self) -> Warmed:
        """Iterate until three iterations agree."""
        runs, steady = _warmed(self._iteration)
        return Warmed(statistics.median(runs), steady, self._load, self._taken[0])

    def turn(self, runs: int) -> list[float]:
        """Return the seconds of each of ``runs`` iterations."""
        return [self._iteration() for _ in range(runs)]

    def whole(self) -> None:
        """Return None: an iteration does not go from a file to pixels."""

    def reach(self, iteration: int) -> float:
        """Return the seconds from the start to this iteration; go on to it if need be."""
        while len(self._taken) < iteration:
            self._iteration()
        return sum(self._taken[:iteration])

    def memory(self) -> int | None:
        """Return the most bytes that this process took."""
        return peak()

    def _iteration(self) -> float:
        started = time.perf_counter()
        next(self._steps)
        self._taken.append(time.perf_counter() - started)
        return self._taken[-1]


def _optimisation(photo: Path, preset: str, vgg: Path | None, threads: int) -> Iterator[Any]:
    import torch  # noqa: PLC0415 (a model's process does without)

    from sttk.toolkit.gatys.optimise import optimise, white_noise  # noqa: PLC0415
    from sttk.toolkit.gatys.run import GatysConfig, Run  # noqa: PLC0415
    from sttk.toolkit.losses import presets  # noqa: PLC0415

    torch.set_num_threads(threads)
    side = max(read_image(photo).rgb.shape)
    config = GatysConfig(photo, photo, side, side, presets.preset(preset), _ENDLESS, vgg=vgg)
    run = Run.prepare(config)
    start = white_noise(run.photo, config.seed)
    content = run.loss.content_of(run.photo)
    return optimise(run.loss, content, start, iterations=config.iterations)


def _warmed(run: Callable[[], float]) -> tuple[list[float], bool]:
    """Return the last runs, and whether they agree."""
    runs: list[float] = []
    started = time.perf_counter()
    while len(runs) < _WARM_RUNS:
        runs.append(run())
        last = runs[-_STEADY_RUNS:]
        if len(last) == _STEADY_RUNS and max(last) <= _STEADY_SPREAD * min(last):
            return last, True
        if time.perf_counter() - started > _WARM_SECONDS:
            break
    return runs[-_STEADY_RUNS:], False
