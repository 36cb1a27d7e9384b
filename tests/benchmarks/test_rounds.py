"""Turns: fair, long enough, and without those that fell out."""

from __future__ import annotations

import pytest

from sttk.benchmarks.clocks import Clock, Warmed
from sttk.benchmarks.remote import OutOfTimeError
from sttk.benchmarks.rounds import LEAST_ROUNDS, TimedProcess, run_interleaved, runs_of_turn
from sttk.toolkit.core.errors import NotRunError


class Fake:
    """Stands for a remote stopwatch; ``order`` sees who is called when."""

    def __init__(self, name, order, seconds=0.05, fails_at=None):
        self.name, self.order, self.seconds, self.fails_at = name, order, seconds, fails_at
        self.calls = 0

    def call(self, method, *arguments):
        if method is Clock.warm:
            return Warmed(self.seconds, True, 0.0, 0.0)
        if method is Clock.turn:
            self.calls += 1
            self.order.append(self.name)
            if self.calls == self.fails_at:
                raise NotRunError("its process died")
            return [self.seconds] * arguments[0]
        return 2 * self.seconds


def processes(*fakes):
    found = [TimedProcess(fake) for fake in fakes]
    for each in found:
        each.warm()
    return found


def test_every_round_begins_with_another():
    order = []
    run_interleaved(processes(*(Fake(name, order) for name in "abc")), 1e-9, lambda _: None)
    assert len(order) == 3 * LEAST_ROUNDS
    assert "".join(order[:9]) == "abcbcacab"


def test_quick_ones_have_more_runs_in_a_turn():
    quick, slow = processes(Fake("quick", [], 0.01), Fake("slow", [], 2.0))
    run_interleaved([quick, slow], 1e-9, lambda _: None)
    assert [len(turn) for turn in quick.turns] == [40] * LEAST_ROUNDS
    assert [len(turn) for turn in slow.turns] == [1] * LEAST_ROUNDS
    assert quick.wholes == [[0.02]] * LEAST_ROUNDS
    assert slow.wholes == [[4.0]] * 2  # in every third round


@pytest.mark.parametrize(("seconds", "runs"), [(1e-9, 100), (0.01, 40), (0.3, 2), (0.5, 1)])
def test_runs_of_a_turn(seconds, runs):
    assert runs_of_turn(seconds) == runs


def test_who_runs_out_of_time_keeps_what_was_measured():
    class Late(Fake):
        turns = 3

        def call(self, method, *arguments):
            if method is Clock.turn and self.calls == self.turns:
                raise OutOfTimeError
            return super().call(method, *arguments)

    class Never(Late):
        turns = 0

    kept, never = processes(Late("kept", []), Never("never", []))
    run_interleaved([kept, never], 1e-9, lambda _: None)
    assert (len(kept.turns), kept.failure, kept.running) == (3, "", False)
    assert "no time left" in never.failure


def test_a_bounded_run_gives_as_few_rounds_as_it_has_time_for():
    one, other = processes(Fake("a", []), Fake("b", []))
    run_interleaved([one, other], 1e-9, lambda _: None, least=1)
    assert len(one.turns) == len(other.turns) == 1


def test_who_falls_out_keeps_the_reason_and_the_others_go_on():
    good, bad = processes(Fake("good", []), Fake("bad", [], fails_at=2))
    run_interleaved([good, bad], 1e-9, lambda _: None)
    assert bad.failure == "its process died"
    assert (len(good.turns), len(bad.turns)) == (LEAST_ROUNDS, 1)


def test_one_that_dies_when_it_is_weighed_falls_out():
    class Dead(Fake):
        def call(self, method, *arguments):
            if method is Clock.memory:
                raise NotRunError("its process died")
            return super().call(method, *arguments)

    (dead,) = processes(Dead("dead", []))
    dead.attempt(TimedProcess.read_memory)
    assert (dead.failure, dead.memory) == ("its process died", None)


def test_all_can_fall_out():
    (bad,) = processes(Fake("bad", [], fails_at=1))
    run_interleaved([bad], 10.0, lambda _: None)
    assert bad.failure
