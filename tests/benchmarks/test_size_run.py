"""The default rows on machines of any speed: a clock that the rows move instead of working."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from sttk.benchmarks import rounds, schedule, size_run, stopwatch
from sttk.benchmarks.budget import Plan
from sttk.benchmarks.cases import PreparedCase, SizeContext
from sttk.benchmarks.clocks import Clock, Warmed
from sttk.benchmarks.config import BenchConfig
from sttk.benchmarks.remote import OutOfTimeError
from sttk.benchmarks.rounds import TimedProcess
from sttk.benchmarks.rows import GATYS
from sttk.benchmarks.schedule import Candidate, candidates
from sttk.benchmarks.size_run import NO_MEMORY, NO_TIME, SizeRun
from sttk.benchmarks.variants import chosen
from sttk.toolkit import styles
from sttk.toolkit.precision.cost import Layer

SIZE, BUDGET, ENDING = (512, 512), 120.0, 12.0


class Machine:
    """Its clock moves by what is done on it, and stops at the deadline of who does it."""

    def __init__(self, slowness, hidden=1.0):
        self.now, self.slowness, self.hidden = 0.0, slowness, hidden

    def perf_counter(self):
        return self.now

    def work(self, seconds, until):
        ends = self.now + seconds * self.slowness
        if until is not None and ends > until:
            self.now = max(self.now, until)
            raise OutOfTimeError
        self.now = ends

    def prepare(self, candidate: Candidate, maker):
        """``hidden``: how wrong the estimate was."""
        if candidate.cost.prepare:
            self.work(self.hidden * (candidate.cost.prepare + candidate.sharing), maker.until)
        reason = "" if candidate.cost.prepare else "no such device"
        return PreparedCase(candidate.case, clock=None if reason else candidate.cost, reason=reason)

    def start(self, cost, threads, until):
        """A cost stands in for the spec of a stopwatch."""
        ready = self.now
        self.work(cost.warm * cost.run, until)
        told = Warmed(cost.run * self.slowness, True, 1.0, 0.0)
        return TimedProcess(Stopwatch(self, cost), told, ready=ready)


class Stopwatch:
    def __init__(self, machine, cost):
        self.machine, self.cost, self.until = machine, cost, None

    def call(self, method, *arguments):
        if method is Clock.memory or (method is Clock.whole and not self.cost.whole):
            return None
        runs = arguments[0] if arguments else 1
        self.machine.work(runs * self.cost.run, self.until)
        return [self.cost.run] * runs if method is Clock.turn else self.cost.run

    def dismiss(self):
        pass

    close = kill = dismiss


@pytest.fixture(scope="module")
def queue(photo, tmp_path_factory):
    """The default command's candidates."""
    work = {"ink": 40e9, "ink-mobile-m": 4e9, "ink-mobile-s": 1.5e9}
    context = SizeContext(photo, SIZE, 2, tmp_path_factory.mktemp("bench"))
    with pytest.MonkeyPatch.context() as patch:
        of = lambda net, size: (Layer(0, 0, 0, work[net.origin.name]),)  # noqa: E731
        patch.setattr(schedule, "layers", of)
        return list(candidates(BenchConfig(styles.find("ink"), chosen((), ())), context))


@pytest.fixture
def measured(queue, monkeypatch):
    """The plan of the default command, carried out on a machine."""

    def on(machine, bounded=True, memory=None):
        for module in (size_run, rounds):
            monkeypatch.setattr(module, "time", machine)
        monkeypatch.setattr(stopwatch, "start", machine.start)
        monkeypatch.setattr(stopwatch, "available", lambda: memory)
        plan = Plan(BUDGET, bounded=bounded, ending=ENDING, clock=machine.perf_counter)
        found = SizeRun(plan, SimpleNamespace(until=None), 2, lambda *_: None)
        found.run([replace(c, prepare=lambda maker, c=c: machine.prepare(c, maker)) for c in queue])
        return found

    return on


def timed(found):
    return [row.case for _, row in found.rows if row.timing]


@pytest.mark.parametrize("slowness", [0.1, 0.5, 1.0, 2.0, 4.0, 10.0, 100.0])
@pytest.mark.parametrize("hidden", [0.3, 1.0, 3.0])
def test_the_budget_is_kept_on_any_machine(measured, slowness, hidden):
    machine = Machine(slowness, hidden)
    found = measured(machine)
    assert machine.now <= found.plan.stop < BUDGET
    named = {row.case for _, row in found.rows} | {each.case for each in found.left_out}
    assert len(named) == len(found.rows) + len(found.left_out)


def test_what_matters_first_is_timed_on_the_nominal_machine(measured):
    found = measured(Machine(1.0))
    variants = [case.variant for case in timed(found)]
    assert variants[:2] == ["torch fp32", f"{GATYS} fp32"]
    assert {case.model for case in timed(found)} >= {"ink", "VGG-19"}
    assert {row.not_run for _, row in found.rows if not row.timing} == {"no such device"}
    assert {each.reason for each in found.left_out} == {NO_TIME}


def test_a_faster_machine_times_more(measured):
    counts = [len(timed(measured(Machine(s)))) for s in (3.0, 1.0, 0.3, 0.05)]
    assert counts == sorted(counts)
    assert counts[0] >= 1
    assert counts[-1] > 2 * counts[0]


def test_every_row_that_is_timed_has_its_rounds(measured):
    for slowness in (0.3, 1.0, 2.0):
        for _, row in measured(Machine(slowness)).rows:
            assert row.timing is None or len(row.timing.turns) >= 3


def test_all_is_all_however_long_it_takes(measured):
    machine = Machine(5.0)
    found = measured(machine, bounded=False)
    assert found.left_out == []
    assert machine.now > BUDGET


def test_what_memory_does_not_hold_beside_the_others_is_left_out(measured):
    found = measured(Machine(0.05), memory=3_000_000_000)
    assert len(timed(found)) >= 2
    assert NO_MEMORY in {each.reason for each in found.left_out}
