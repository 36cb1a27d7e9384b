from __future__ import annotations

import shutil

import onnx
import pytest

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.parity.bisect.bisection import bisect


def add_one_input_twice(graph):
    node = next(node for node in graph.node if node.name == "node_add")
    node.input[1] = node.input[0]


def test_the_reproduction_shows_the_error(onnx_with, net, batch, tmp_path, reproduced):
    folder = tmp_path / "out"
    found = bisect(onnx_with(add_one_input_twice), net, batch, "fp32", folder)
    assert found.reproduction == str(folder)
    result = reproduced(folder)
    assert result.returncode == 1, result.stderr
    assert f"SNR {found.first.alone:.1f} dB, floor {found.first.floor:.1f} dB" in result.stdout
    part = onnx.load(folder / "part.onnx")
    assert [node.name for node in part.graph.node] == ["node_add"]
    assert "net.blocks.0: add" in (folder / "reproduce.py").read_text()


def test_it_replaces_a_reproduction_and_nothing_else(onnx_with, net, batch, tmp_path):
    model = onnx_with(add_one_input_twice)
    folder = tmp_path / "out"
    bisect(model, net, batch, "fp32", folder)
    bisect(model, net, batch, "fp32", folder)
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="holds no reproduce"):
        bisect(model, net, batch, "fp32", folder)
    assert (folder / "mine.txt").read_text() == "keep"
