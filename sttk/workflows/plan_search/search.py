"""The search for the cheapest plan that holds a floor.

With n blocks there are 2^n plans. Two ways through them are taken, each one block at a time:

down
    from all blocks high: each block is tried alone in the low precision, and they are lowered in
    the order of what they save for the harm that they do.
up
    from all blocks low: on the input that is worst then, each block is tried alone in the high
    precision, and that which buys most dB for its cost is raised, until the floor holds.

Neither is exact, since errors do not add up: two blocks that are bad alone may be no worse together
(down sees that, up does not), and a block may be bad only behind another (the reverse). From the
cheapest plan of either that holds the floor, every block is then lowered that need not be high. All
plans that were tried make the Pareto front.
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
        cost: of the whole plan.
        score: by input.
    """

    high: High
    cost: float
    score: Score


class Search:
    """One search.

    Args:
        blocks: of the net.
        cost: of a plan, by its high blocks.
        score: of a plan, on all inputs.
        score_on: the same on the one input of that name.
        on_progress: is called with each plan that was tried on all inputs.

    Attributes:
        tried: every plan, by its high blocks.
        alone: what is left of the worst input where one block alone is low, in dB.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        cost: Callable[[High], float],
        score: Callable[[High], Score],
        score_on: Callable[[High, str], float],
        on_progress: Callable[[Tried], None] = lambda _: None,
    ) -> None:
        self._cost, self._score, self._score_on, self._told = cost, score, score_on, on_progress
        none: High = frozenset()
        prices = {block: cost(none | {block}) - cost(none) for block in blocks}
        # What the low precision does not change is of no interest.
        self._prices = {block: price for block, price in prices.items() if price > 0}
        self.tried: dict[High, Tried] = {}
        self.alone: dict[Block, float] = {}

    @property
    def every(self) -> High:
        """All blocks that are worth looking at."""
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
        """The plans that no other one beats in cost and in dB, from the cheapest."""
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
            self._told(self.tried[high])
        return self.tried[high]

    def _down(self) -> None:
        high = self.every
        self._try(high)
        for block in sorted(self._prices, key=self._harm):
            high -= {block}
            self._try(high)

    def _harm(self, block: Block) -> float:
        """Error power that it adds where it is alone in the low precision, for what it saves."""
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
            if gains[chosen] <= 0:  # no block alone helps: that which does most harm alone
                chosen = max(gains, key=self._harm)
            now = self._try(now.high | {chosen})

    def _prune(self, high: High, floor: float) -> None:
        for block in _dearest_first(high, self._prices):
            if self._try(high - {block}).score.worst >= floor:
                high -= {block}


def _dearest_first(blocks: Iterable[Block], prices: dict[Block, float]) -> list[Block]:
    return sorted(blocks, key=lambda block: (-prices[block], block.name))
