"""Rounds: the rows take turns, so that what else the machine does hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sttk.benchmarks.clocks import Clock, Warmed
from sttk.benchmarks.remote import OutOfTimeError, Remote
from sttk.toolkit.core.errors import NotRunError

_TURN_SECONDS = 0.4
_LEAST_RUNS, _TURN_RUNS = 2, 100
LEAST_ROUNDS = 5
_MOST_ROUNDS = 60
# From file to bytes: of a model that takes longer than a turn, in every third round only.
_WHOLE_EVERY = 3


def runs_of_turn(seconds: float) -> int:
    """How often a model that takes ``seconds`` runs in its turn.

    One that is quick runs at least twice: the first run finds the caches full of another's data.
    """
    runs = round(_TURN_SECONDS / max(seconds, 1e-6))
    return min(max(1 if seconds > _TURN_SECONDS else _LEAST_RUNS, runs), _TURN_RUNS)


def turn_seconds(seconds: float, whole: bool) -> float:
    """What the turn of a model that takes ``seconds`` takes at most.

    Args:
        seconds: of a run.
        whole: whether it is run from file to bytes, too.
    """
    return (runs_of_turn(seconds) + whole) * seconds


@dataclass
class Racer:
    """A stopwatch in its process, and what it has measured.

    Attributes:
        remote: a ``ModelClock``, or an ``IterationClock``.
        warmed: what ``warm`` told.
        memory: bytes that its process took at most, once it was weighed.
        lost: why it fell out, or "".
        ready: moment of ``time.perf_counter`` when it had been made, and had run once.
        ended: whether its process was ended because the time was.
    """

    remote: Remote[Clock]
    warmed: Warmed = Warmed(0.0, False, 0.0, 0.0)  # noqa: RUF009 (frozen)
    turns: list[list[float]] = field(default_factory=list)
    wholes: list[list[float]] = field(default_factory=list)
    memory: int | None = None
    lost: str = ""
    ready: float = 0.0
    ended: bool = False

    @property
    def running(self) -> bool:
        """Whether it is still in the race."""
        return not self.lost and not self.ended

    def attempt(self, step: Callable[[Racer], None]) -> None:
        """Do something with it; if that fails, it falls out with the reason.

        One that has been timed and then runs out of time keeps what was measured.
        """
        if self.ended:
            return
        try:
            step(self)
        except OutOfTimeError as error:
            self.ended, self.lost = True, "" if self.turns else str(error)
        except NotRunError as error:
            self.lost = str(error)

    def warm(self) -> None:
        """Run until it is steady."""
        self.warmed = self.remote.call(Clock.warm)

    def turn(self) -> None:
        """Some runs in a row, and now and then one from file to bytes."""
        seconds, number = self.warmed.seconds, len(self.turns)
        self.turns.append(self.remote.call(Clock.turn, runs_of_turn(seconds)))
        slow = seconds > _TURN_SECONDS
        if number % _WHOLE_EVERY and slow:
            return
        whole = self.remote.call(Clock.whole)
        if whole is not None:
            self.wholes.append([whole])

    def weigh(self) -> None:
        """Ask for the memory that its process took."""
        self.memory = self.remote.call(Clock.memory)


def race(
    racers: Sequence[Racer],
    seconds: float,
    told: Callable[[float], None],
    least: int = LEAST_ROUNDS,
) -> None:
    """Give each its turns until ``seconds`` have passed, and at least ``least`` of them.

    Every round begins with another row: none is always the one after the slowest.

    Args:
        racers: warmed; those that fall out are left behind.
        seconds: to spend, about.
        told: called with the share that is done.
        least: rounds that are given though they take longer.
    """
    began = time.perf_counter()
    for number in range(_MOST_ROUNDS):
        spent = time.perf_counter() - began
        # Another round like those before it has to fit.
        fits = spent * (number + 1) <= seconds * number
        if number >= least and not fits:
            break
        running = [racer for racer in racers if racer.running]
        if not running:
            break
        first = number % len(running)
        for racer in (*running[first:], *running[:first]):
            racer.attempt(Racer.turn)
        told(min(1.0, (time.perf_counter() - began) / max(seconds, 1e-9)))
