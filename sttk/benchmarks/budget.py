"""A budget of wall time: which rows of a benchmark are started, and what is left for rounds.

A row's costs are known once it has started. Before that they are estimated: in seconds of a nominal
machine (:class:`Cost`), times how much slower this one has been so far. A start that takes longer
than estimated is stopped at :attr:`Plan.deadline`, so that earlier rows still get their rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sttk.benchmarks.rounds import turn_seconds

# Rounds that every row is promised: fewer turns than three say nothing of how they vary.
ROUNDS = 3
# The share of the budget that rounds get at most: after that, more of them say little.
_OF_ROUNDS = 0.5
# The share that may be kept for the ending.
_OF_ENDING = 0.15


@dataclass(frozen=True)
class Cost:
    """The estimated cost of a row, in seconds of the nominal machine.

    Attributes:
        prepare: the time to export the model, and to start the process that loads it.
        run: the time of one run of the model.
        warm: the number of runs until it is warm.
        whole: whether a turn has a run from file to bytes, too (``sttk.benchmarks.rounds``).
    """

    prepare: float
    run: float = 0.0
    warm: float = 0.0
    whole: bool = True


@dataclass
class Pace:
    """How much slower than the nominal machine this one has been: 1 until something is known.

    There are two ratios, because other work on the machine delays them differently: many threads
    that wait for each other in a run suffer more from it than one that exports.
    """

    nominal: dict[str, float] = field(default_factory=lambda: {"prepare": 0.0, "run": 0.0})
    taken: dict[str, float] = field(default_factory=lambda: {"prepare": 0.0, "run": 0.0})

    def learn(self, kind: str, nominal: float, seconds: float) -> None:
        """Record an estimate of a kind, ``prepare`` or ``run``, and what it took."""
        self.nominal[kind] += nominal
        self.taken[kind] += seconds

    def of(self, kind: str) -> float:
        """Return the seconds here for one of the nominal machine."""
        nominal = self.nominal[kind]
        return self.taken[kind] / nominal if nominal else 1.0


class Plan:
    """Spends a budget on the rows of one size, in the order in which they are offered.

    Args:
        seconds: the wall time, from now.
        bounded: whether ``seconds`` is kept whatever it leaves out; else every row fits, and the
            budget only says how long the rounds may take.
        ending: the nominal seconds of what comes after the rounds.
        pace: the pace of an earlier plan, if there was one.
        clock: returns the seconds since some moment.

    Attributes:
        pace: the pace of this machine, so far.
        seconds: the budget.
        ends: the moment on ``clock`` when the budget is spent.
    """

    def __init__(
        self,
        seconds: float,
        *,
        bounded: bool = True,
        ending: float = 0.0,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.bounded, self.pace = bounded, pace or Pace()
        self.seconds, self.ends = seconds, clock() + seconds
        self._clock, self._ending = clock, ending
        self._round = 0.0

    @property
    def left(self) -> float:
        """The seconds left for starts and rounds, without what is kept for the ending."""
        return max(0.0, self.ends - self._kept - self._clock())

    @property
    def for_rounds(self) -> float:
        """The seconds that rounds may take; in a plan without bounds, whatever starts took."""
        share, promised = _OF_ROUNDS * self.seconds, ROUNDS * self._round
        if not self.bounded:
            return share
        # What is kept for the ending may have grown since; promised rounds go before it.
        room = max(self.left, min(promised, self.ends - self._kept / 2 - self._clock()))
        return min(room, max(share, promised))

    @property
    def stop(self) -> float | None:
        """When rounds have to be over, on the plan's clock. A turn that takes longer than those
        before it may take half of what is kept for the ending. None if there is no end.
        """
        return self.ends - self._kept / 2 if self.bounded else None

    @property
    def deadline(self) -> float | None:
        """When a start has to be over, on the plan's clock; None if it may take what it takes."""
        if not self.bounded:
            return None
        return self._clock() + max(0.0, self.left - ROUNDS * self._round)

    def part(self, parts: int) -> Plan:
        """Return a plan of an equal share of what is left, with the same pace."""
        seconds = (self.ends - self._clock()) if self.bounded else self.seconds
        return Plan(
            seconds / parts, bounded=self.bounded, ending=self._ending / parts, pace=self.pace,
            clock=self._clock,
        )  # fmt: skip

    def estimate(self, cost: Cost) -> float:
        """Return the seconds that a row will take here: its start and its rounds."""
        return self.start(cost) + ROUNDS * turn_seconds(self._run(cost), cost.whole)

    def start(self, cost: Cost) -> float:
        """Return the seconds until it is warm."""
        return self.pace.of("prepare") * cost.prepare + cost.warm * self._run(cost)

    def _run(self, cost: Cost) -> float:
        return self.pace.of("run") * cost.run

    def fits(self, cost: Cost) -> bool:
        """Return whether a row can be started, and all rows still be given their rounds."""
        return not self.bounded or self._fits(self.estimate(cost))

    def started(self, cost: Cost, prepare: float, run: float) -> bool:
        """Learn from a row that was started.

        Args:
            cost: the row's estimate.
            prepare: the seconds until its model was loaded.
            run: the seconds that one of its runs takes.

        Returns:
            Whether all rows can be given their rounds with it. If not, it is not counted.
        """
        self.pace.learn("run", cost.run, run)
        self.pace.learn("prepare", cost.prepare, prepare)
        turn = turn_seconds(run, cost.whole)
        if self.bounded and self._round and not self._fits(ROUNDS * turn):
            return False
        self._round += turn
        return True

    @property
    def _kept(self) -> float:
        """What is kept for the ending. A slow machine does without some of it, not without rows."""
        return min(self._ending * self.pace.of("prepare"), _OF_ENDING * self.seconds)

    def _fits(self, seconds: float) -> bool:
        return seconds + ROUNDS * self._round <= self.left
