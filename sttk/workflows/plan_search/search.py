"""The search for the cheapest plan that holds a floor.

With n blocks there are 2^n plans. Two greedy searches change one block at a time:

down
    starts with all blocks high: each block is tried alone in the low precision, and they are
    lowered in the order of the error that they add for what they save.
up
    starts with all blocks low: on the input that is worst then, each block is tried alone in the
    high precision, and the one that gains most dB for its cost is raised, until the floor holds.

Neither is exact, since errors do not add up: two blocks that are bad alone may be no worse together
(down sees that, up does not), and a block may be bad only behind another (the reverse). In the two
cheapest plans that hold the floor, every block that need not be high is then lowered. All plans
that were tried make the Pareto front.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sttk.toolkit.precision.blocks import Block
from sttk.workflows.plan_search.trial import Score

High = frozenset[Block]  # the blocks that are in the high precision


@dataclass(frozen=True)
class Tried:
    """A plan that was tried.

    Attributes:
        high: its blocks in the high precision.
        cost: the cost of the whole plan.
        score: the PSNR on each input.
    """

    high: High
    cost: float
    score: Score


class Search:
    """A search for the cheapest plan.

    Args:
        blocks: the net's blocks.
        cost: computes a plan's cost from its high blocks.
        score: computes a plan's score on all inputs.
        score_on: computes a plan's PSNR in dB on the input of that name.
        on_progress: is called with each plan that was tried on all inputs.

    Attributes:
        tried: every plan that was tried, by its high blocks.
        alone: PSNR in dB on the worst input with one block alone in the low precision.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        cost: Callable[[High], float],
        score: Callable[[High], Score],
        score_on: Callable[[High, str], float],
        on_progress: Callable[[Tried], None] = lambda _: None,
    ) -> None:
        self._cost, self._score, self._score_on = cost, score, score_on
        self._on_progress = on_progress
        none: High = frozenset()
        prices = {block: cost(none | {block}) - cost(none) for block in blocks}
        # Blocks that cost the same in the low precision are left alone.
        self._prices = {block: price for block, price in prices.items() if price > 0}
        self.tried: dict[High, Tried] = {}
        self.alone: dict[Block, float] = {}

    @property
    def every(self) -> High:
        """All blocks that are cheaper in the low precision."""
        return frozenset(self._prices)

    def run(self, floor: float) -> None:
        """Try plans until the cheapest one that holds ``floor`` dB is found, or none can."""
        self._try(frozenset())
        for block in self._prices:
            self.alone[block] = self._try(self.every - {block}).score.worst
        self._down()
        self._up(floor)
        for held in self._holding(floor)[:2]:
            self._prune(held.high, floor)

    def front(self) -> list[Tried]:
        """Return the plans that no other one beats in cost and in dB, the cheapest first."""
        best: list[Tried] = []
        for plan in sorted(self.tried.values(), key=lambda t: (t.cost, -t.score.worst)):
            if not best or plan.score.worst > best[-1].score.worst:
                best.append(plan)
        return best

    def _holding(self, floor: float) -> list[Tried]:
        held = (plan for plan in self.tried.values() if plan.score.worst >= floor)
        return sorted(held, key=lambda plan: plan.cost)

    def _try(self, high: High) -> Tried:
        if high not in self.tried:
            self.tried[high] = Tried(high, self._cost(high), self._score(high))
            self._on_progress(self.tried[high])
        return self.tried[high]

    def _down(self) -> None:
        high = self.every
        self._try(high)
        for block in sorted(self._prices, key=self._harm):
            high -= {block}
            self._try(high)

    def _harm(self, block: Block) -> float:
        """Return the error power that a block alone in the low precision adds, per cost saved."""
        return float(10 ** (-self.alone[block] / 10)) / self._prices[block]

    def _up(self, floor: float) -> None:
        now = self._try(frozenset())
        while now.score.worst < floor and now.high != self.every:
            worst = now.score.where
            gains = {
                block: (self._score_on(now.high | {block}, worst) - now.score.worst)
                / self._prices[block]
                for block in self._prices
                if block not in now.high
            }
            chosen = max(gains, key=lambda block: gains[block])
            if gains[chosen] <= 0:  # no block alone helps: take the one that is worst alone
                chosen = max(gains, key=self._harm)
            now = self._try(now.high | {chosen})

    def _prune(self, high: High, floor: float) -> None:
        for block in _costliest_first(high, self._prices):
            if self._try(high - {block}).score.worst >= floor:
                high -= {block}


def _costliest_first(blocks: Iterable[Block], prices: dict[Block, float]) -> list[Block]:
    return sorted(blocks, key=lambda block: (-prices[block], block.name))
