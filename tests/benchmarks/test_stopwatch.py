"""Models timed against each other, each in its own process."""

from __future__ import annotations

import os

import pytest

from sttk.benchmarks import stopwatch
from sttk.benchmarks.clocks import Clock, Warmed
from sttk.benchmarks.rounds import TimedProcess, run_interleaved
from sttk.benchmarks.rows import Timing
from sttk.benchmarks.specs import ModelClockSpec
from sttk.benchmarks.stopwatch import median_milliseconds, time_interleaved
from sttk.benchmarks.subjects.fakes import SleeperSpec, StaleSpec
from sttk.toolkit.core.errors import NotRunError
from tests.benchmarks.specs import CallSpec

SIZE = (48, 64)


def test_each_is_timed_in_as_many_turns_and_one_that_fails_takes_no_other_down():
    said = []
    models = [SleeperSpec(0.02), SleeperSpec(0.05), CallSpec(int, ("x",)), StaleSpec()]
    slow, slower, none, stale = time_interleaved(
        models, SIZE, rounds=3, on_progress=lambda share, text: said.append((share, text))
    )
    assert min(map(min, slow.turns)) == pytest.approx(0.02, rel=0.05)
    assert min(map(min, slower.turns)) == pytest.approx(0.05, rel=0.05)
    assert [len(turn) for turn in slow.turns] == [5] * 3
    assert [len(turn) for turn in slower.turns] == [2] * 3
    assert slow.whole == ()
    assert slow.memory is None or slow.memory > 10_000_000
    assert isinstance(none, NotRunError)
    assert "ValueError" in str(none)
    # Its pictures are judged by others.
    assert isinstance(stale, Timing)
    shares = [share for share, _ in said]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    medians = median_milliseconds([slow, slower])
    assert medians == [1e3 * slow.summary.p50, 1e3 * slower.summary.p50]
    with pytest.raises(NotRunError, match="ValueError"):
        median_milliseconds([slow, none])


def test_one_that_dies_while_it_is_timed_is_a_reason():
    class Dies:
        def call(self, method, *_):
            if method is Clock.turn:
                raise NotRunError("its process died")
            return Warmed(0.01, True, 0.0, 0.0)

    process = TimedProcess(Dies())
    process.warm()
    run_interleaved([process], 0.0, lambda _: None, least=2)
    assert str(stopwatch._result(process)) == "its process died"


def test_pools_are_left_to_the_libraries_unless_their_size_is_said(monkeypatch):
    """A runtime's own choice of threads is one of those that are compared."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    seen = []

    class Remote:
        def __init__(self, spec, threads, until):
            seen.append(threads)
            raise NotRunError("enough")

    monkeypatch.setattr(stopwatch, "Remote", Remote)
    time_interleaved([SleeperSpec(0.01)], SIZE)
    time_interleaved([SleeperSpec(0.01)], SIZE, threads=3)
    assert seen == [None, 3]
    assert os.environ["OMP_NUM_THREADS"] == "7"


@pytest.mark.parametrize(
    ("fits", "groups"),
    [
        (9, [[0, 1, 2, 3, 4]]),
        (5, [[0, 1, 2, 3, 4]]),
        (3, [[0, 1, 2], [0, 3, 4]]),
        (1, [[0, 1], [0, 2], [0, 3], [0, 4]]),
    ],
)
def test_groups_share_the_first(monkeypatch, fits, groups):
    monkeypatch.setattr(stopwatch, "memory_room", lambda: 100.0 * fits + 50)
    assert list(stopwatch._groups(5, 100)) == groups
    assert list(stopwatch._groups(1, 100)) == [[0]]
    monkeypatch.setattr(stopwatch, "memory_room", lambda: float("inf"))
    assert list(stopwatch._groups(5, 100)) == [[0, 1, 2, 3, 4]]


def test_a_later_group_is_scaled_by_the_model_that_both_have(monkeypatch):
    """The machine has become twice as slow when the second group runs."""
    slowness = iter((1.0, 2.0))

    def timed(specs, *_):
        factor = next(slowness)
        return [
            Timing(((spec.subject.seconds * factor,),) * 3, (), 0.1, 0.1, None, True)
            for spec in specs
        ]

    monkeypatch.setattr(stopwatch, "_time_group", timed)
    monkeypatch.setattr(stopwatch, "available", lambda: 1_600_000_000)
    first, second, third, fourth = time_interleaved(
        [SleeperSpec(s) for s in (0.3, 0.2, 0.1, 0.4)], SIZE
    )
    found = [each.summary.p50 for each in (first, second, third, fourth)]
    assert found == pytest.approx([0.3, 0.2, 0.1, 0.4])
    assert first.notes == second.notes == third.notes == ()
    assert "memory does not hold them" in fourth.notes[-1]
    reason = NotRunError("gone")
    assert stopwatch._scaled([reason, third], first) == [reason]
    assert stopwatch._scaled([first, third], reason) == [reason]


def test_the_bench_times_by_the_same_steps(photo):
    process = stopwatch.start(ModelClockSpec(SleeperSpec(0.01), photo), 1)
    try:
        stopwatch.time_started([process], 0.0, 2, lambda _: None)
    finally:
        stopwatch.end([process])
    assert len(process.timing.turns) == len(process.timing.whole) == 2
    # The fastest: what else the machine does can only add to the others.
    assert min(map(min, process.timing.turns)) == pytest.approx(0.01, rel=0.05)
