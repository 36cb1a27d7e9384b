"""Objects in processes of their own."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from sttk.benchmarks.remote import OutOfTimeError, Remote
from sttk.benchmarks.specs import ModelSpec
from sttk.toolkit import styles
from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.opened.artifact import open_artifact
from tests.benchmarks.specs import CallSpec, imported, imported_by


def test_calls_cross_over_and_threads_are_set_before_anything_loads(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with Remote(CallSpec(Counter, ({"a": 3},)), threads=3) as counter:
        counter.call(Counter.update, {"a": 1}, b=2)
        assert counter.call(Counter.total) == 6
    for threads, said in ((3, "3"), (None, "none")):
        spec = CallSpec(os.getenv, ("OMP_NUM_THREADS", "none"))
        with Remote(spec, threads) as value:
            assert value.call(str.lower) == said
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (CallSpec(int, ("x",)), "ValueError: invalid literal"),
        (CallSpec(importlib.import_module, ("nowhere",)), "No module named 'nowhere'"),
        (CallSpec(styles.find, ("none",)), "none: neither a shipped style"),
        (ModelSpec(Path("none.onnx")), "none.onnx: no such file"),
    ],
)
def test_what_fails_over_there_is_one_line_here(spec, said):
    with pytest.raises(NotRunError, match=said):
        Remote(spec, threads=1)


def test_a_process_that_dies_is_a_reason():
    with (
        Remote(CallSpec(subprocess.Popen, ([sys.executable, "-c", ""],)), threads=1) as remote,
        pytest.raises(NotRunError, match="AttributeError"),
    ):
        remote.call(Counter.total)
    remote = Remote(CallSpec(Counter), threads=1)
    pid = remote._process.pid
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(NotRunError, match="died with exit code -9: out of memory"):
        remote.call(Counter.total)
    remote.close()


def test_who_does_not_answer_in_time_is_ended():
    with Remote(CallSpec(threading.Event), threads=1) as remote:
        remote.until = time.perf_counter() + 0.1
        with pytest.raises(OutOfTimeError, match="no time left"):
            remote.call(threading.Event.wait, 60.0)
        remote._process.join(5.0)
        assert not remote._process.is_alive()


def test_a_process_that_is_not_there_in_time_is_none():
    with pytest.raises(OutOfTimeError):
        Remote(CallSpec(threading.Event), threads=1, until=time.perf_counter())


def test_nothing_is_left_running():
    remote = Remote(CallSpec(Counter), threads=1)
    process = remote._process
    remote.close()
    assert not process.is_alive()


def test_a_process_imports_what_its_spec_makes_and_no_more(make):
    """A runtime is timed, and its memory weighed, without torch beside it."""
    heavy = ("torch", "onnxruntime", "openvino", "sttk.benchmarks.exports")
    with Remote(CallSpec(imported, (heavy,)), threads=1) as none:
        assert none.call(str.split) == []
    spec = ModelSpec(open_artifact(make("onnx", size=(64, 96))).model)
    with Remote(CallSpec(imported_by, (spec, heavy)), threads=1) as one:
        assert one.call(str.split) == ["onnxruntime"]
