"""Threads that runtimes are told to use, and nodes whose time they tell."""

from __future__ import annotations

import time

import numpy as np
import pytest

from sttk.toolkit.core.rungs import EXACT
from sttk.toolkit.runtimes.base import Profiled, Settings
from sttk.toolkit.targets import open_model
from tests.rungs import rung

FILES = {"onnx": "model.onnx", "openvino": "model.xml"}


@pytest.mark.parametrize("target", FILES)
def test_nodes_tell_their_time(target, make):
    model = make(target, size=(64, 64)) / FILES[target]
    runner = open_model(model, Settings(threads=1, profile=True))
    assert isinstance(runner, Profiled)
    started = time.perf_counter()
    for _ in range(3):
        runner.run(np.zeros((1, 3, 64, 64), np.float32))
    elapsed = time.perf_counter() - started
    nodes = runner.profile()
    assert sum("conv" in node.kind.lower() for node in nodes) >= 9  # the tiny net has ten
    assert all(node.seconds >= 0 for node in nodes)
    # On one thread they take turns, within the time that passed: in thousandths they would not.
    assert 0 < sum(node.seconds for node in nodes) < elapsed


@pytest.mark.parametrize("target", FILES)
def test_threads_change_no_answer(target, make, net):
    model = make(target, size=(64, 64)) / FILES[target]
    batch = np.random.default_rng(0).uniform(0, 255, (1, 3, 64, 64)).astype(np.float32)
    outputs = [open_model(model, Settings(threads=n)).run(batch) for n in (1, 2)]
    assert [rung(output, net, batch) for output in outputs] == [EXACT] * 2


def test_the_session_has_the_threads_that_it_was_told(make):
    runner = open_model(make("onnx", size=(64, 64)) / "model.onnx", Settings(threads=3))
    assert runner._session.get_session_options().intra_op_num_threads == 3
