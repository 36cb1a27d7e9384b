"""The fuzzer itself: the same seed makes the same inputs, and a bad outcome is seen."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time

import click
import pytest

from tests.hostile import worker
from tests.hostile.bytes_mutations import CHANGES
from tests.hostile.campaign import Campaign
from tests.hostile.judge import MOST_MEMORY, faults
from tests.hostile.kinds import KINDS, Command, Kind
from tests.hostile.sample import Sample
from tests.hostile.worker import Job, Ran, Workers

GOOD = Ran(2, stderr="error: x: no such file\n")
# Those whose seeds need no export, which takes seconds.
QUICK = [kind for kind in KINDS if not kind.name.startswith(("artifact", "mlpackage"))]


@pytest.mark.parametrize(
    ("ran", "fault"),
    [
        (Ran(None, signal=signal.SIGSEGV), "crash SIGSEGV"),
        (Ran(None, hung=True), "hang"),
        (Ran(70, stderr="error: a bug in sttk: x\n"), "exit 70"),
        (Ran(1, stderr="Traceback (most recent call last)\nerror: x\n"), "traceback"),
        (Ran(1, stderr="error: x\nerror: y\n"), "stderr"),
        (Ran(1, stderr="x\n"), "stderr"),
        (Ran(0, stderr="warning: x\n"), "stderr"),
        (Ran(0, grown=MOST_MEMORY + 1), "memory"),
        (Ran(1, stderr="error: out of memory\n"), "memory"),
        (Ran(2, stderr="error: x\n", ran_code=True), "code ran"),
        (Ran(2, stderr="error: x\n", changed=True), "input changed"),
        (Ran(2, stderr="error: x\n", left=("output/styled.png",)), "left behind"),
        (Ran(0, left=("temporary/x",)), "left behind"),
        (Ran(0, left=("output/.styled.png.1.x",)), "left behind"),
    ],
)
def test_what_is_not_good_is_seen(ran, fault):
    assert fault in faults(ran)


def test_what_is_good():
    assert faults(GOOD) == []
    assert faults(Ran(0, stdout="x\n", left=("output/styled.png",))) == []


@pytest.mark.parametrize("kind", QUICK, ids=lambda kind: kind.name)
def test_the_same_seed_makes_the_same_inputs_at_any_time(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", itertools.count(2e9, 1e3).__next__)
    one, other = Campaign(3, tmp_path, 1), Campaign(3, tmp_path, 1)
    for number in range(0, 60, 7):
        assert one.sample(kind, number) == other.sample(kind, number)


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_changes_of_bytes_take_any_bytes(name):
    from random import Random

    for content in (b"", b"x", bytes(range(256)) * 9):
        changed = [CHANGES[name](Random(n), content) for n in range(20)]
        assert all(isinstance(one, bytes) for one in changed)
        assert len(content) < 2 or any(one != content for one in changed)


def _does(action):
    """A stand-in for sttk: one command that does this."""

    @click.command(context_settings={"ignore_unknown_options": True})
    @click.argument("arguments", nargs=-1)
    def stand_in(arguments):
        action()

    return stand_in


def _write_and_leave():
    click.echo("said", err=True)
    sys.exit(5)


@pytest.mark.parametrize(
    ("action", "code", "number", "hung"),
    [
        (lambda: None, 0, None, False),
        (_write_and_leave, 5, None, False),
        (lambda: os.kill(os.getpid(), signal.SIGSEGV), None, signal.SIGSEGV, False),
        (lambda: time.sleep(600), None, None, True),
    ],
)
def test_workers_outlive_what_they_run(action, code, number, hung, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "cli", _does(action))
    for folder in ("input", "output", "temporary"):
        (tmp_path / folder).mkdir()
    workers = Workers(seconds=240 if not hung else 0.5)
    try:
        for _ in range(2):  # the second finds a new worker where the first lost its own
            ran = workers.run(Job(("x",), tmp_path))
            assert (ran.code, ran.signal, ran.hung) == (code, number, hung)
        if code == 5:
            assert ran.stderr == "said\n"
    finally:
        workers.close()


def test_a_worker_sees_what_is_left_changed_and_made(tmp_path, monkeypatch):
    def act():
        (tmp_path / "output" / "half").write_text("x")
        (tmp_path / "input" / "canary").write_text("x")

    monkeypatch.setattr(worker, "cli", _does(act))
    for folder in ("input", "output", "temporary"):
        (tmp_path / folder).mkdir()
    ran = worker.run(Job(("x",), tmp_path))
    assert ran.left == ("output/half",)
    assert ran.changed
    assert ran.ran_code


def test_a_kind_is_a_line(tmp_path, monkeypatch):
    """Seeds, mutations and commands; the table counts what came of each."""
    monkeypatch.setattr(worker, "cli", _does(lambda: sys.exit(70)))

    def seed(scratch):
        return Sample("x.txt", {"x.txt": b"x"})

    kind = Kind("text", (seed,), {"twice": lambda random, sample: sample.with_file("x.txt", b"xx")},
                {"read": Command(lambda places: [str(places.target)])})  # fmt: skip
    campaign = Campaign(0, tmp_path, 240)
    try:
        (bad,) = campaign.run(kind, 0)
    finally:
        campaign.close()
    assert bad.input == "text/0"
    assert bad.faults[0] == "exit 70"
    assert campaign.by_command["text", "read"].codes == {"70": 1}


def test_samples_are_written_as_they_are(tmp_path):
    sample = Sample("a/b", {"a/b": b"x"}, {"a/l": "b"}, ("a/p",), {"a/h": 1 << 40})
    assert sample.write(tmp_path).read_bytes() == b"x"
    assert (tmp_path / "a/l").read_bytes() == b"x"
    assert (tmp_path / "a/p").is_fifo()
    assert (tmp_path / "a/h").stat().st_size == 1 << 40
