"""The planner, on a clock that only the test moves."""

from __future__ import annotations

import pytest

from sttk.benchmarks.budget import ROUNDS, Cost, Plan

ROW = Cost(prepare=4.0, run=1.0, warm=2.0)  # turns of 2 s: 12 s with its rounds


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def start(plan, clock, cost, slower=1.0):
    """As a row that takes what was estimated, times ``slower``."""
    seconds = slower * (cost.prepare + cost.warm * cost.run)
    clock.now += seconds
    return plan.started(cost, slower * cost.prepare, slower * cost.run)


def test_rows_enter_until_their_rounds_would_not_fit(clock):
    plan, entered = Plan(40.0, clock=clock), 0
    while plan.fits(ROW):
        assert start(plan, clock, ROW)
        entered += 1
    assert entered == 3  # 12 s each
    assert plan.left == pytest.approx(40.0 - 3 * 6.0)
    assert plan.left >= ROUNDS * 3 * 2.0


def test_what_is_kept_for_the_ending_is_no_time_for_rows(clock):
    assert Plan(12.0, clock=clock).fits(ROW)
    assert not Plan(12.0, ending=1.0, clock=clock).fits(ROW)


def test_a_slow_machine_is_learnt_from_its_first_row(clock):
    plan = Plan(60.0, clock=clock)
    assert plan.fits(ROW)
    start(plan, clock, ROW, slower=3.0)
    assert plan.estimate(ROW) == pytest.approx(36.0)
    assert not plan.fits(ROW)
    assert plan.fits(Cost(prepare=1.0, run=0.1, warm=2.0))


def test_runs_and_exports_are_slow_each_in_its_own_way(clock):
    plan = Plan(60.0, clock=clock)
    plan.started(ROW, prepare=4.0, run=10.0)
    assert plan.pace.of("run") == pytest.approx(10.0)
    assert plan.pace.of("prepare") == pytest.approx(1.0)


def test_a_start_has_to_leave_the_rounds_of_those_before_it(clock):
    plan = Plan(60.0, clock=clock)
    assert plan.deadline == pytest.approx(1060.0)
    start(plan, clock, ROW)
    assert plan.deadline == pytest.approx(1060.0 - ROUNDS * 2.0)


def test_a_row_that_turns_out_slow_is_not_counted(clock):
    plan = Plan(60.0, clock=clock)
    start(plan, clock, ROW)
    assert not plan.started(ROW, prepare=4.0, run=20.0)
    assert plan.deadline == pytest.approx(1060.0 - ROUNDS * 2.0)


def test_the_first_row_stays_though_its_rounds_do_not_fit(clock):
    assert Plan(10.0, clock=clock).started(ROW, prepare=4.0, run=20.0)


def test_without_bounds_everything_fits_and_half_is_for_rounds(clock):
    plan = Plan(10.0, bounded=False, clock=clock)
    clock.now += 500.0
    assert plan.fits(ROW)
    assert (plan.deadline, plan.stop, plan.for_rounds) == (None, None, 5.0)


def test_rounds_get_what_is_left_and_half_at_most(clock):
    plan = Plan(100.0, clock=clock)
    assert plan.for_rounds == 50.0
    clock.now += 80.0
    assert plan.for_rounds == pytest.approx(20.0)


def test_rounds_that_were_promised_may_take_more_than_half(clock):
    plan = Plan(100.0, clock=clock)
    plan.started(ROW, prepare=4.0, run=12.0)
    assert plan.for_rounds == pytest.approx(ROUNDS * 24.0)


def test_a_quick_row_runs_more_often_in_its_turn(clock):
    plan = Plan(100.0, clock=clock)
    quick = Cost(prepare=0.0, run=0.3, warm=0.0)
    assert plan.estimate(quick) == pytest.approx(ROUNDS * 3 * 0.3)  # twice, and once from its file
    iteration = Cost(prepare=0.0, run=3.0, warm=0.0, whole=False)
    assert plan.estimate(iteration) == pytest.approx(ROUNDS * 3.0)


def test_sizes_share_what_is_left(clock):
    whole = Plan(90.0, ending=3.0, clock=clock)
    first = whole.part(2)
    assert first.ends == pytest.approx(1045.0)
    first.started(ROW, prepare=58.0, run=1.0)
    clock.now += 60.0
    last = whole.part(1)
    assert last.ends == whole.ends
    assert last.pace.of("prepare") > 1.0


def test_a_slow_machine_does_without_some_of_the_ending_rather_than_without_rows(clock):
    plan = Plan(100.0, ending=10.0, clock=clock)
    plan.pace.learn("prepare", 1.0, 50.0)
    assert plan.left == pytest.approx(85.0)
