"""Rounds: the rows take turns, so that what else the machine does hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.remote import Remote
from toolkit.errors import NotRunError

_TURN_SECONDS = 0.4
_LEAST_RUNS, _TURN_RUNS = 2, 100
LEAST_ROUNDS = 5
_MOST_ROUNDS = 60


@dataclass
class Racer:
    """A stopwatch in its process, and what it has measured.

    Attributes:
        remote: a ``ModelClock``, or an ``IterationClock``.
        whole: whether it can time a picture from file to bytes.
        warmed: what ``warm`` told.
        memory: bytes that its process took at most, once it was weighed.
        lost: why it fell out, or "".
    """

    remote: Remote
    whole: bool = True
    warmed: dict[str, Any] = field(default_factory=dict)
    turns: list[list[float]] = field(default_factory=list)
    wholes: list[list[float]] = field(default_factory=list)
    memory: int | None = None
    lost: str = ""

    @property
    def running(self) -> bool:
        """Whether it is still in the race."""
        return not self.lost

    def attempt(self, step: Callable[[Racer], None]) -> None:
        """Do something with it; if that fails, it falls out with the reason."""
        try:
            step(self)
        except NotRunError as error:
            self.lost = str(error)

    def warm(self) -> None:
        """Run until it is steady."""
        self.warmed = self.remote.call("warm")

    def turn(self) -> None:
        """Some runs in a row, then one from file to bytes."""
        least = _LEAST_RUNS if self.whole else 1  # an iteration of Gatys takes long
        runs = round(_TURN_SECONDS / max(self.warmed["seconds"], 1e-6))
        self.turns.append(self.remote.call("turn", min(max(least, runs), _TURN_RUNS)))
        if self.whole:
            self.wholes.append([self.remote.call("whole")])

    def weigh(self) -> None:
        """Ask for the memory that its process took."""
        self.memory = self.remote.call("memory")


def race(racers: Sequence[Racer], seconds: float, told: Callable[[float], None]) -> None:
    """Give each its turns until ``seconds`` have passed, and at least ``LEAST_ROUNDS`` of them.

    Every round begins with another row: none is always the one after the slowest.

    Args:
        racers: warmed; those that fall out are left behind.
        seconds: to spend, about.
        told: called with the share that is done.
    """
    began = time.perf_counter()
    for number in range(_MOST_ROUNDS):
        spent = time.perf_counter() - began
        # Another round like those before it has to fit.
        fits = spent * (number + 1) <= seconds * number
        if number >= LEAST_ROUNDS and not fits:
            break
        running = [racer for racer in racers if racer.running]
        if not running:
            break
        first = number % len(running)
        for racer in (*running[first:], *running[:first]):
            racer.attempt(Racer.turn)
        told(min(1.0, (time.perf_counter() - began) / seconds))
