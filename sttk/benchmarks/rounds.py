"""Rounds: processes take turns, so that other work on the machine affects all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sttk.benchmarks.clocks import Clock, Warmed
from sttk.benchmarks.remote import OutOfTimeError, Remote
from sttk.benchmarks.rows import Timing
from sttk.toolkit.core.errors import NotRunError

TURN_SECONDS = 0.4
_LEAST_RUNS, _TURN_RUNS = 2, 100
LEAST_ROUNDS = 5
_MOST_ROUNDS = 60
# A model that takes longer than a turn is run from file to bytes in every third round only.
_WHOLE_EVERY = 3


def runs_of_turn(seconds: float, turn: float = TURN_SECONDS) -> int:
    """Return how often a model that takes ``seconds`` runs in a turn of ``turn`` seconds.

    A quick one runs at least twice: its first run finds the caches full of another's data.
    """
    runs = round(turn / max(seconds, 1e-6))
    return min(max(1 if seconds > turn else _LEAST_RUNS, runs), _TURN_RUNS)


def turn_seconds(seconds: float, whole: bool) -> float:
    """Return the seconds that a model's turn takes at most.

    Args:
        seconds: the time of one run.
        whole: whether it is run from file to bytes, too.
    """
    return (runs_of_turn(seconds) + whole) * seconds


@dataclass
class TimedProcess:
    """A stopwatch in a process of its own, and what it has measured.

    Attributes:
        remote: the process, which holds the stopwatch.
        warmed: what it reported once it was warm.
        turns: the seconds of its runs, by turn.
        wholes: the seconds of its runs from file to bytes, by turn.
        memory: the most bytes that its process took, once it was asked.
        failure: why it failed, or "".
        ready: moment of ``time.perf_counter`` when it had been made, and had run once.
        out_of_time: whether its process was ended because time was up.
        turn_seconds: about how long its turns are.
    """

    remote: Remote[Clock]
    warmed: Warmed = Warmed(0.0, False, 0.0, 0.0)  # noqa: RUF009 (frozen)
    turns: list[list[float]] = field(default_factory=list)
    wholes: list[list[float]] = field(default_factory=list)
    memory: int | None = None
    failure: str = ""
    ready: float = 0.0
    out_of_time: bool = False
    turn_seconds: float = TURN_SECONDS

    @property
    def running(self) -> bool:
        """Whether it still takes turns."""
        return not self.failure and not self.out_of_time

    @property
    def timing(self) -> Timing:
        """What it has measured so far."""
        warmed = self.warmed
        return Timing(
            tuple(map(tuple, self.turns)),
            tuple(map(tuple, self.wholes)),
            warmed.load,
            warmed.first,
            self.memory,
            warmed.steady,
            warmed.notes,
        )

    def attempt(self, step: Callable[[TimedProcess], None]) -> None:
        """Do a step of its work; if that fails, keep the reason, and give it no more turns.

        A process that has been timed and then runs out of time keeps what was measured.
        """
        if self.out_of_time:
            return
        try:
            step(self)
        except OutOfTimeError as error:
            self.out_of_time, self.failure = True, "" if self.turns else str(error)
        except NotRunError as error:
            self.failure = str(error)

    def warm(self) -> None:
        """Run until it is steady."""
        self.warmed = self.remote.call(Clock.warm)

    def turn(self) -> None:
        """Time some runs in a row, and now and then one from file to bytes."""
        seconds, number = self.warmed.seconds, len(self.turns)
        self.turns.append(self.remote.call(Clock.turn, runs_of_turn(seconds, self.turn_seconds)))
        slow = seconds > self.turn_seconds
        if number % _WHOLE_EVERY and slow:
            return
        whole = self.remote.call(Clock.whole)
        if whole is not None:
            self.wholes.append([whole])

    def read_memory(self) -> None:
        """Ask for the memory that its process took."""
        self.memory = self.remote.call(Clock.memory)


def run_interleaved(
    processes: Sequence[TimedProcess],
    seconds: float,
    on_progress: Callable[[float], None],
    least: int = LEAST_ROUNDS,
    pause: float = 0.0,
) -> None:
    """Give each process its turns until ``seconds`` have passed, and at least ``least`` of them.

    Every round begins with another process: none is always the one after the slowest.

    Args:
        processes: the processes, warmed up; those that fail get no more turns.
        seconds: about how long it may take.
        on_progress: called with the share that is done.
        least: the number of rounds that are given even if they take longer.
        pause: the seconds to wait before each turn.
    """
    began = time.perf_counter()
    for number in range(_MOST_ROUNDS):
        spent = time.perf_counter() - began
        # Another round like those before it has to fit.
        fits = spent * (number + 1) <= seconds * number
        if number >= least and not fits:
            break
        running = [process for process in processes if process.running]
        if not running:
            break
        first = number % len(running)
        for process in (*running[first:], *running[:first]):
            if pause:
                time.sleep(pause)
            process.attempt(TimedProcess.turn)
        spent = time.perf_counter() - began
        on_progress(min(1.0, spent / seconds if seconds else 1.0, (number + 1) / least))
