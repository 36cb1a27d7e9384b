"""Nodes in any order, as some tools write them."""

from __future__ import annotations

from random import Random

import numpy as np
import onnx
import pytest

from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError
from sttk.toolkit.checkpoints.onnx_graph.graph import Node
from sttk.toolkit.checkpoints.onnx_graph.order import in_order
from tests.hostile.onnx_files import small


def chain(count):
    return [Node("Relu", f"n{n}", (f"v{n}",), (f"v{n + 1}",), {}) for n in range(count)]


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_nodes_are_sorted(seed):
    nodes = chain(30)
    mixed = nodes.copy()
    Random(seed).shuffle(mixed)
    assert list(in_order(mixed)) == nodes


def test_sorted_nodes_stay_as_they_are():
    free = [Node("Constant", f"c{n}", (), (f"c{n}",), {}) for n in range(5)]
    nodes = [chain(1)[0], *free, *chain(4)[1:]]
    assert list(in_order(nodes)) == nodes


def test_a_ring_is_refused():
    ring = [*chain(3), Node("Relu", "back", ("v3",), ("v0",), {})]
    with pytest.raises(UnreadableError, match=r"node n0\): its input depends on its own output"):
        in_order(ring)


def test_a_file_of_unsorted_nodes_is_the_same_net(tmp_path, traced, run):
    path, mixed = tmp_path / "net.onnx", tmp_path / "mixed.onnx"
    path.write_bytes(small())
    model = onnx.load(path)
    nodes = list(model.graph.node)
    Random(1).shuffle(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    mixed.write_bytes(model.SerializeToString())
    x = np.random.default_rng(0).uniform(0, 255, (1, 3, 24, 32)).astype(np.float32)
    expected, found = (run(traced(file, (24, 32)), x) for file in (path, mixed))
    np.testing.assert_array_equal(found, expected)
