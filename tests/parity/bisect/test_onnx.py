from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from sttk.toolkit.parity.bisect.bisection import bisect


def node_of(graph, name):
    return next(node for node in graph.node if node.name == name)


def flip_a_weight(node):
    """The largest weight of a convolution changes its sign."""

    def fault(graph):
        name = node_of(graph, node).input[1]
        weight = next(item for item in graph.initializer if item.name == name)
        values = numpy_helper.to_array(weight).copy()
        values.flat[np.abs(values).argmax()] *= -1
        weight.CopyFrom(numpy_helper.from_array(values, weight.name))

    return fault


def set_attribute(node, name, change):
    def fault(graph):
        attribute = next(a for a in node_of(graph, node).attribute if a.name == name)
        value = change(onnx.helper.get_attribute_value(attribute))
        attribute.CopyFrom(onnx.helper.make_attribute(name, value))

    return fault


def pad_by_edge(node):
    return set_attribute(node, "mode", lambda _: "edge")


def raise_epsilon(node):
    return set_attribute(node, "epsilon", lambda epsilon: epsilon * 100)


def become(node, kind):
    """Another operation in its place."""

    def fault(graph):
        node_of(graph, node).op_type = kind

    return fault


FAULTS = [
    (pad_by_edge("node_pad"), "net.conv1.pad", "node_pad", "Pad"),
    (flip_a_weight("node_conv2d_2"), "net.conv3.conv", "node_conv2d_2", "Conv"),
    (
        raise_epsilon("node_instance_norm_4"),
        "net.blocks.0.norm2",
        "node_instance_norm_4",
        "InstanceNormalization",
    ),
    (become("node_relu_4", "Abs"), "net.blocks.1: relu", "node_relu_4", "Abs"),
    (become("node_add", "Sub"), "net.blocks.0: add", "node_add", "Sub"),
    (flip_a_weight("node_conv2d_9"), "net.head.conv", "node_conv2d_9", "Conv"),
]


@pytest.mark.parametrize(("fault", "block", "node", "kind"), FAULTS)
def test_the_block_with_the_fault_is_named(onnx_with, net, batch, fault, block, node, kind):
    found = bisect(onnx_with(fault), net, batch, "fp32")
    assert found.first.block == block
    assert (found.first.operation, found.first.kind) == (node, kind)
    assert found.first.at_fault
    assert [row.block for row in found.rows if row.at_fault] == [block]


def test_of_a_rewritten_layer_the_operation_with_its_output_is_named(onnx_with, net, batch):
    found = bisect(onnx_with(flip_a_weight("node_conv2d_9"), rewrites=True), net, batch, "fp32")
    assert found.first.block == "net.head.conv"
    assert (found.first.operation, found.first.kind) == ("node_pixel_shuffle_2", "DepthToSpace")
    assert {row.block for row in found.rows if not row.tensor} == {
        f"net.up{i}{part}" for i in (1, 2) for part in (": interpolate", ".pad")
    }


@pytest.mark.parametrize(("fault", "block"), [FAULTS[0][:2], FAULTS[1][:2], FAULTS[4][:2]])
def test_so_it_is_in_float16(onnx_with, net, batch, fault, block):
    found = bisect(onnx_with(fault, precision="fp16"), net, batch, "fp16")
    assert [row.block for row in found.rows if row.at_fault] == [block]
    assert found.rows[1].scale < 1  # the export scaled the first convolution down


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_correct_model_has_no_such_block(make, net, batch, precision):
    from sttk.toolkit.opened.artifact import open_artifact, reference_of

    opened = open_artifact(make(size=batch.shape[2:], precision=precision, rewrites=False))
    found = bisect(opened.model, reference_of(opened.manifest), batch, precision)
    assert found.first is None
    assert all(row.tensor for row in found.rows)


def test_two_faults_are_both_named(onnx_with, net, batch):
    def both(graph):
        pad_by_edge("node_pad_1")(graph)
        flip_a_weight("node_conv2d_7")(graph)

    found = bisect(onnx_with(both), net, batch, "fp32")
    assert [row.block for row in found.rows if row.at_fault] == ["net.conv2.pad", "net.up1.conv"]
    assert found.first.block == "net.conv2.pad"
    assert sum(row.falls for row in found.rows) > 10


def rename(graph):
    """As if somebody else had exported it: no name of ours, biases of their own."""
    kept = {graph.input[0].name, graph.output[0].name}
    names = {}
    for node in graph.node:
        node.name = ""
        for values in (node.input, node.output):
            for i, value in enumerate(values):
                if value and value not in kept:
                    values[i] = names.setdefault(value, f"t{len(names)}")
    for item in graph.initializer:
        item.name = names[item.name]
    del graph.value_info[:]


def test_a_model_without_our_names_is_matched_by_value(onnx_with, net, batch):
    def foreign(graph):
        flip_a_weight("node_conv2d_5")(graph)
        rename(graph)

    found = bisect(onnx_with(foreign), net, batch, "fp32")
    assert found.first.block == "net.blocks.1.conv1.conv"
    assert found.first.kind == "Conv"
    assert all(row.tensor for row in found.rows)


def test_a_model_that_does_not_clamp_is_matched_up_to_there(onnx_with, net, batch):
    def no_clamp(graph):
        become("node_clamp", "Identity")(graph)
        del node_of(graph, "node_clamp").input[1:]

    found = bisect(onnx_with(no_clamp), net, batch, "fp32")
    assert found.first is None or found.first.block == "clamp"
