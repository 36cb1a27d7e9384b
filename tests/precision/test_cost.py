from __future__ import annotations

import torch

from sttk.toolkit.core.plan import Plan
from sttk.toolkit.precision.cast import CARRIERS
from sttk.toolkit.precision.cost import Costs, Layer, layers_of

LAYERS = {"net.conv": Layer(10, 100, 200, 3000), "net.norm": Layer(4, 200, 200, 0)}


def test_layers_are_those_with_weights(net):
    layers = layers_of(net, (32, 48))
    made = 4 * 32 * 48
    assert layers["net.conv1.conv"] == Layer(4 * 243 + 4, 3 * 40 * 56, made, made * 243)
    assert layers["net.norm2"] == Layer(12, 6 * 16 * 24, 6 * 16 * 24, 0)
    assert "net.conv1" not in layers


def test_float_costs_its_width():
    costs = Costs(LAYERS, (), CARRIERS)
    assert costs.bytes(Plan("fp32")) == 4 * 714
    assert costs.bytes(Plan("fp16")) == 2 * 714
    assert costs.bytes(Plan.of_blocks("fp16", {"net.norm": "fp32"})) == 2 * 310 + 4 * 404
    assert costs.work(Plan("fp16")) == 6000


def test_int8_is_of_what_is_quantised():
    costs = Costs(LAYERS, {"net.conv"}, CARRIERS)
    assert costs.bytes(Plan("int8")) == 10 + 100 + 4 * 200 + 4 * 404
    assert (costs.work(Plan("int8")), costs.work(Plan("fp32"))) == (3000, 12000)
    assert Costs(LAYERS, (), CARRIERS).work(Plan("int8")) == 12000


def test_where_half_is_on_disk_alone_only_weights_are_smaller():
    costs = Costs(LAYERS, (), dict.fromkeys(CARRIERS, torch.float32))
    assert costs.bytes(Plan("fp16")) == 2 * 14 + 4 * 700


def test_what_is_quantised_within_a_rewritten_layer_is_the_layers():
    """A wide head's convolution is ``net.head.conv.conv`` where the net has ``net.head.conv``."""
    whole = Costs(LAYERS, {"net.conv"}, CARRIERS).work(Plan("int8"))
    assert Costs(LAYERS, {"net.conv.inner"}, CARRIERS).work(Plan("int8")) == whole
    assert Costs(LAYERS, {"net.conv2"}, CARRIERS).work(Plan("int8")) == 12000
