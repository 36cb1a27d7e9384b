"""The process that runs a program: what is sent and read, and how it ends, by a stand-in for it."""

from __future__ import annotations

import gc
import sys
import weakref

import numpy as np
import pytest

from sttk.toolkit.core.errors import RunError
from sttk.toolkit.targets.executorch.arm64.process import NotStartedError, RunnerProcess

SHAPE = (1, 3, 4, 5)
# Speaks as runner.cpp does; its picture is the negative of what it is sent.
START = """
import os, struct, sys, time
source, sink = sys.stdin.buffer, sys.stdout.buffer
(count,) = struct.unpack("<q", source.read(8))
program = source.read(count)
def shape(*sides):
    sink.write(struct.pack("<4i", *sides))
    sink.flush()
"""
SERVE = """
shape(1, 3, 4, 5)
while head := source.read(16):
    values = struct.unpack("<60f", source.read(240))
    shape(*struct.unpack("<4i", head))
    sink.write(struct.pack("<60f", *(program[0] - value for value in values)))
    sink.flush()
"""
REFUSE = "print('runner: program: InvalidProgram', 'more', sep='\\n', file=sys.stderr); sys.exit(1)"
NO_LIBRARY = "print('no libstdc++.so.6', file=sys.stderr); sys.exit(127)"
CRASH = "shape(1, 3, 4, 5); source.read(16); os.kill(os.getpid(), 11)"
HALFWAY = "shape(1, 3, 4, 5); source.read(256); shape(1, 3, 4, 5); sink.write(b'half'); sys.exit(0)"
ABSURD = "shape(1, 3, 4, 5); source.read(256); shape(1 << 30, 3, 1 << 30, 1)"
LATE = "time.sleep(60)"


def command(what, start=START):
    return [sys.executable, "-S", "-c", start + what]


@pytest.fixture
def opened():
    """``opened(program)``: a process, closed at the test's end."""
    processes = []

    def start(what, content=b"\xff", seconds=60.0, **options):
        processes.append(RunnerProcess(command(what, **options), content, seconds))
        return processes[-1]

    yield start
    for process in processes:
        process.close()


def picture():
    return np.random.default_rng(0).random(SHAPE, dtype=np.float32)


def test_pictures_go_there_and_come_back(opened):
    process = opened(SERVE)
    assert process.takes == SHAPE
    for x in (picture(), picture()[..., ::-1], picture().astype(np.float64)):
        y = process.run(x)
        np.testing.assert_array_equal(y, np.float32(255) - x.astype(np.float32))
        assert y.dtype == np.float32
        y += 1  # it is the caller's own


def test_a_program_larger_than_a_pipe_holds(opened):
    assert opened(SERVE, b"\x07" * (1 << 20)).run(np.zeros(SHAPE, np.float32)).max() == 7


def test_the_word_of_the_runner_is_the_error(opened):
    with pytest.raises(RunError, match=r"^program: InvalidProgram$") as caught:
        opened(REFUSE)
    assert not isinstance(caught.value, NotStartedError)


def test_a_library_that_is_missing_is_no_fault_of_the_program(opened):
    with pytest.raises(NotStartedError, match=r"ended with 127: no libstdc\+\+\.so\.6"):
        opened(NO_LIBRARY, start="import sys;")


def test_there_is_no_such_command():
    with pytest.raises(NotStartedError, match="no-qemu: No such file"):
        RunnerProcess(["/no-qemu"], b"", 60)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (CRASH, "crashed, by signal 11"),
        (HALFWAY, "ended with 0"),
        (ABSURD, "answers with a picture of"),
    ],
)
def test_a_picture_on_which_it_ends(what, said, opened):
    process = opened(what)
    with pytest.raises(RunError, match=said):
        process.run(picture())
    with pytest.raises(RunError):  # nor is it run again
        process.run(picture())


def test_one_that_does_not_answer_is_given_up(opened):
    with pytest.raises(RunError, match=r"takes over 0\.2 s"):
        opened(LATE, seconds=0.2)


def test_a_closed_one(opened):
    process = opened(SERVE)
    process.close()
    process.close()
    with pytest.raises(RunError, match="was closed"):
        process.run(picture())


def test_it_ends_with_what_holds_it(opened):
    process = RunnerProcess(command(SERVE), b"\1", 60)
    child, gone = process._process, weakref.ref(process)
    del process
    gc.collect()
    assert gone() is None
    assert child.poll() is not None
