"""The search on errors that are made up: which plans it tries, and which it calls cheapest."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from sttk.toolkit.precision.blocks import Block
from sttk.workflows.plan_search.search import Search
from sttk.workflows.plan_search.trial import Score

BLOCKS = tuple(Block((f"net.{name}",)) for name in "abcdef")
FLAT = dict.fromkeys(BLOCKS, 1.0)


def searched(errors, prices=FLAT, noise=1e-12):
    """A search whose error power on each input is the sum of those of the low blocks."""

    def decibels(high, index):
        total = noise + sum(errors[index].get(b.name[-1], 0.0) for b in BLOCKS if b not in high)
        return -10 * math.log10(total)

    return Search(
        [block for block in BLOCKS if block in prices],
        cost=lambda high: 10 + sum(prices[block] for block in high),
        score=lambda high: Score(tuple((str(i), decibels(high, i)) for i in range(len(errors)))),
        score_on=lambda high, name: decibels(high, int(name)),
    )


def cheapest(search, floor):
    search.run(floor)
    held = [plan for plan in search.tried.values() if plan.score.worst >= floor]
    best = min(held, key=lambda plan: plan.cost, default=None)
    return best and "".join(sorted(block.name[-1] for block in best.high))


SMALL = dict.fromkeys("abcdef", 1e-08)


def test_one_block_is_to_blame():
    assert cheapest(searched([SMALL, {**SMALL, "d": 1e-3}]), 60) == "d"


def test_each_input_blames_another_block():
    inputs = [{**SMALL, "a": 1e-3}, {**SMALL, "e": 1e-2}, SMALL]
    assert cheapest(searched(inputs), 60) == "ae"


def test_a_floor_that_the_low_precision_holds_costs_nothing():
    assert cheapest(searched([SMALL]), 60) == ""


def test_no_plan_holds_what_the_high_precision_does_not():
    assert cheapest(searched([SMALL], noise=1e-6), 61) is None


def test_the_cheaper_of_two_that_are_as_bad():
    """Either would do: one of 2e-6, where 60 dB allow 1e-6 and both make 2e-6."""
    errors = [{"a": 9e-7, "b": 9e-7}]
    assert cheapest(searched(errors, {**FLAT, BLOCKS[0]: 5.0}), 60) == "b"


def blocks(names):
    return frozenset(block for block in BLOCKS if block.name[-1] in names)


def test_down_lowers_first_what_does_least_harm_for_what_it_saves():
    harm = {name: 10.0 ** -(4 + index) for index, name in enumerate("abcdef")}
    search = searched([harm], {**FLAT, BLOCKS[1]: 1000.0})
    search.run(0)
    chain = [blocks(names) for names in ("acdef", "acde", "acd", "ac", "a")]
    assert all(high in search.tried for high in chain)


def test_up_raises_first_what_helps_the_input_that_is_worst_then():
    """Alone, a does most harm; but b and c together spoil an input more."""
    search = searched([{"a": 1e-5}, {"b": 6e-6, "c": 6.5e-6}])
    search.run(60)
    assert blocks("c") in search.tried


def test_where_no_block_alone_helps_two_are_raised():
    """Errors that do not add up: the picture is spoilt by any of two."""
    search = searched([{}])
    search._score_on = lambda high, name: 60.0 if blocks("ef") <= high else 30.0
    search._score = lambda high: Score((("0", search._score_on(high, "0")),))
    search._down = lambda: None
    search._prune = lambda *_: None
    search.run(50)
    assert "".join(sorted(b.name[-1] for b in search._holding(50)[0].high)) == "ef"


def test_near_the_best_of_all_plans():
    """Errors of one size, where the choice is hard: within 2 % of the best cost on average."""
    excess = []
    for seed in range(20):
        drawn = random.Random(seed)
        errors = [{name: drawn.uniform(1e-7, 1e-5) for name in "abcdef"} for _ in range(3)]
        prices = {block: drawn.uniform(1, 10) for block in BLOCKS}
        search, every = searched(errors, prices), searched(errors, prices)
        search.run(49)
        highs = (c for n in range(7) for c in itertools.combinations(BLOCKS, n))
        best = min(t.cost for t in map(every._try, map(frozenset, highs)) if t.score.worst >= 49)
        excess.append(search._holding(49)[0].cost / best - 1)
    assert sum(excess) / len(excess) < 0.02


def test_blocks_that_the_low_precision_does_not_change_are_left_alone():
    search = searched([SMALL], {**FLAT, BLOCKS[2]: 0.0})
    search.run(60)
    assert not any(BLOCKS[2] in tried for tried in search.tried)


def test_alone_is_the_worst_input_with_one_block_low():
    search = searched([{**SMALL, "a": 1e-3}, {**SMALL, "b": 1e-4}])
    search.run(10)
    assert search.alone[BLOCKS[0]] == pytest.approx(30, abs=0.01)
    assert search.alone[BLOCKS[1]] == pytest.approx(40, abs=0.01)


def test_the_front_rises_in_cost_and_in_decibels():
    search = searched([{name: 10.0 ** -(3 + index) for index, name in enumerate("abcdef")}])
    search.run(90)
    front = search.front()
    assert len(front) >= 4
    for one, other in itertools.pairwise(front):
        assert one.cost < other.cost
        assert one.score.worst < other.score.worst
