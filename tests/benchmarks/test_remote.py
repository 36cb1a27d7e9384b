"""Objects in processes of their own."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from sttk.benchmarks.remote import OutOfTimeError, Remote
from sttk.toolkit.core.errors import NotRunError


def test_calls_cross_over_and_threads_are_set_before_anything_loads(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with Remote("collections:Counter", {"a": 3}, threads=3) as counter:
        counter.call("update", {"a": 1, "b": 2})
        assert counter.call("total") == 6
    with Remote("os:getenvb", {"key": b"OMP_NUM_THREADS"}, threads=3) as value:
        assert value.call("decode") == "3"
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.parametrize(
    ("factory", "options", "said"),
    [
        ("collections:nothing", {}, "AttributeError: module 'collections'"),
        ("nowhere:nothing", {}, "No module named 'nowhere'"),
        ("sttk.toolkit.styles:find", {"reference": "none"}, "none: neither a shipped style"),
    ],
)
def test_what_fails_over_there_is_one_line_here(factory, options, said):
    with pytest.raises(NotRunError, match=said):
        Remote(factory, options, threads=1)


def test_a_process_that_dies_is_a_reason():
    with (
        Remote("subprocess:Popen", {"args": [sys.executable, "-c", ""]}, threads=1) as remote,
        pytest.raises(NotRunError, match="AttributeError"),
    ):
        remote.call("nothing")
    remote = Remote("collections:Counter", {}, threads=1)
    pid = remote._process.pid
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(NotRunError, match="died with exit code -9: out of memory"):
        remote.call("total")
    remote.close()


def test_who_does_not_answer_in_time_is_ended():
    with Remote("threading:Event", {}, threads=1) as remote:
        remote.until = time.perf_counter() + 0.1
        with pytest.raises(OutOfTimeError, match="no time left"):
            remote.call("wait", 60.0)
        remote._process.join(5.0)
        assert not remote._process.is_alive()


def test_a_process_that_is_not_there_in_time_is_none():
    with pytest.raises(OutOfTimeError):
        Remote("threading:Event", {}, threads=1, until=time.perf_counter())


def test_nothing_is_left_running():
    remote = Remote("collections:Counter", {}, threads=1)
    process = remote._process
    remote.close()
    assert not process.is_alive()
