"""A budget of wall time: which rows of a benchmark are started, and what is left for rounds.

A row's costs are known once it has started. Before that they are estimated: in seconds of a nominal
machine (:class:`Cost`), times how much slower this one has been so far. What is estimated too low
is stopped at :attr:`Plan.deadline`, so that the rows before it still get their rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

# Rounds that every row is promised: fewer turns than three say nothing of how they vary.
ROUNDS = 3
# Of the budget, what rounds get at most: after that more of them say little.
_OF_ROUNDS = 0.5
# Estimates err; a row that is left out can be asked for, a promise that is broken cannot be mended.
_MARGIN = 1.15


@dataclass(frozen=True)
class Cost:
    """What a row is estimated to take, in seconds of the nominal machine.

    Attributes:
        start: to export the model, to load it, and to run it until it is warm.
        round: of one of its turns.
    """

    start: float
    round: float


class Plan:
    """Spends a budget on the rows of one size, in the order in which they are offered.

    Args:
        seconds: of wall time, from now.
        bounded: whether ``seconds`` is kept whatever it leaves out; else every row fits, and the
            budget only says how long the rounds may take.
        ending: nominal seconds of what comes after the rounds.
        slowness: see the attribute; that of an earlier plan, if there was one.
        clock: seconds since some moment.

    Attributes:
        seconds: the budget.
        slowness: seconds here for one of the nominal machine.
        ends: the moment on ``clock`` when the budget is spent.
    """

    def __init__(
        self,
        seconds: float,
        *,
        bounded: bool = True,
        ending: float = 0.0,
        slowness: float = 1.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.bounded, self.slowness = bounded, slowness
        self.seconds, self.ends = seconds, clock() + seconds
        self._clock, self._ending = clock, ending
        self._round = self._nominal = self._taken = 0.0

    @property
    def left(self) -> float:
        """Seconds for starts and rounds; none is left for longer than the ending takes."""
        return max(0.0, self.ends - self._ending * self.slowness - self._clock())

    @property
    def for_rounds(self) -> float:
        """Seconds that rounds may take: of a plan that is not bounded, whatever starts took."""
        share = _OF_ROUNDS * self.seconds
        return min(self.left, share) if self.bounded else share

    @property
    def stop(self) -> float | None:
        """When rounds have to be over, on the plan's clock: a turn that takes longer than those
        before it may take half of what is kept for the ending. None if there is no end.
        """
        return self.ends - self._ending * self.slowness / 2 if self.bounded else None

    @property
    def deadline(self) -> float | None:
        """When a start has to be over, on the plan's clock; None if it may take what it takes."""
        if not self.bounded:
            return None
        return self._clock() + max(0.0, self.left - ROUNDS * self._round)

    def part(self, parts: int) -> Plan:
        """A plan of an equal share of what is left."""
        seconds = (self.ends - self._clock()) / parts if self.bounded else self.seconds / parts
        return Plan(
            seconds, bounded=self.bounded, ending=self._ending / parts, slowness=self.slowness,
            clock=self._clock,
        )  # fmt: skip

    def fits(self, cost: Cost) -> bool:
        """Whether a row can be started, and all rows still be given their rounds."""
        row = cost.start + ROUNDS * cost.round
        return not self.bounded or self._fits(_MARGIN * self.slowness * row)

    def started(self, cost: Cost, seconds: float, turn: float) -> bool:
        """Learn from a row that was started.

        Args:
            cost: its estimate.
            seconds: that its start took.
            turn: seconds that one of its turns will take.

        Returns:
            Whether all rows can be given their rounds with it. If not, it is not counted.
        """
        self.learn(cost.start, seconds)
        if self.bounded and self._round and not self._fits(ROUNDS * turn):
            return False
        self._round += turn
        return True

    def learn(self, nominal: float, seconds: float) -> None:
        """Something that was estimated has taken so many seconds."""
        self._nominal += nominal
        self._taken += seconds
        if self._nominal:
            self.slowness = self._taken / self._nominal

    def _fits(self, seconds: float) -> bool:
        return seconds + ROUNDS * self._round <= self.left
