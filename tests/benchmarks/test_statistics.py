"""Percentiles, intervals and doubts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sttk.benchmarks.statistics import _RESAMPLES, _medians, ratio_interval, summary
from tests.benchmarks.conftest import timing


def drawn(seed, level=1.0, noise=0.02, turns=10, runs=20):
    """Turns whose level wanders more than the samples within a turn."""
    draw = np.random.default_rng(seed)
    levels = level * (1 + noise * draw.standard_normal(turns))
    return [list(each * (1 + 0.001 * draw.standard_normal(runs))) for each in levels]


def test_percentiles_are_of_all_samples():
    found = summary([[1.0, 2.0, 3.0], [4.0, 5.0]])
    assert (found.count, found.p50) == (5, 3.0)
    assert found.p95 == pytest.approx(4.8)
    assert found.p99 == pytest.approx(4.96)


def test_the_interval_is_of_turns_not_of_samples():
    """Samples of one turn hang together: many of them are no certainty."""
    few, many = (summary(drawn(1, runs=runs)) for runs in (2, 200))
    assert few.low < few.p50 < few.high
    assert many.high - many.low > 0.5 * (few.high - few.low)


def test_the_spread_is_half_of_the_interval_as_a_share_of_the_median():
    found = summary([[1.0], [1.1], [1.2], [1.3], [1.4]])
    assert found.spread == pytest.approx((found.high - found.low) / 2.4)
    assert summary([[1.0]] * 4).spread == 0.0


def test_the_ratio_covers_what_is_true_and_no_more():
    held = 0
    for seed in range(40):
        low, high = ratio_interval(drawn(seed, 1.1), drawn(seed + 1000))
        held += low <= 1.1 <= high
        assert high - low < 0.15
    assert held >= 32  # 95 % of 40, less what ten turns and chance allow


@given(st.lists(st.lists(st.sampled_from([0.5, 1.0, 1.5, 2.0, 7.0]), max_size=5), min_size=1))
@settings(max_examples=10, deadline=None)
def test_medians_are_those_of_rows_that_are_made(turns):
    filled = [turn for turn in turns if turn]
    assume(filled)
    chosen = np.random.default_rng(7).integers(0, len(filled), (_RESAMPLES, len(filled)))
    made = [np.median(np.concatenate([filled[i] for i in row])) for row in chosen]
    assert _medians(turns, 7).tolist() == made


def test_a_long_turn_does_without_its_first_sample():
    long = timing(1.0, turns=2, runs=8)
    assert [len(turn) for turn in long.settled] == [7, 7]
    short = timing(1.0, turns=2, runs=7)
    assert short.settled == short.turns
