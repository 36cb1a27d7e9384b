from __future__ import annotations

import shutil

import pytest
from torch import nn

from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.style_net import Origin, StyleNet
from sttk.toolkit.nets.lengstrom import LengstromNet, LengstromSpec
from sttk.toolkit.nets.mobilenetv2 import MobileNetV2Net, MobileNetV2Spec
from sttk.toolkit.nets.resnext import ResNextNet, ResNextSpec
from sttk.toolkit.precision.blocks import blocks_of

NETS = {
    "resnext": ResNextNet(ResNextSpec((4, 6, 8), (4, 4), (6, 4), 2)),
    "mobilenetv2": MobileNetV2Net(MobileNetV2Spec((4, 6, 8), 2)),
    "lengstrom": LengstromNet(LengstromSpec((4, 6, 8), (6, 4), 2)),
}


def check(net):
    """Every module with weights is in one block, and each block has a convolution."""
    blocks = blocks_of(net)
    for name, module in net.named_modules():
        if [*module.parameters(recurse=False)]:
            plans = [Plan.of_blocks("fp16", block.entries("fp32")) for block in blocks]
            assert [plan.of(name) for plan in plans].count("fp32") == 1, name
    for block in blocks:
        parts = net.get_submodule(block.name).modules()
        assert any(isinstance(part, nn.Conv2d | nn.ConvTranspose2d) for part in parts)
    return [block.name for block in blocks]


def test_johnson(net):
    assert check(net) == [
        *(f"net.{name}" for name in ("conv1", "conv2", "conv3")),
        *(f"net.{name}" for name in ("blocks.0", "blocks.1", "up1", "up2", "head")),
    ]
    assert blocks_of(net)[1].modules == ("net.conv2", "net.norm2")


@pytest.mark.parametrize("name", NETS)
def test_other_layouts(name):
    net = StyleNet(NETS[name], Contract(), Origin(name, name, "0", name))
    assert len(check(net)) == 8


def test_an_onnx_file(make, tmp_path):
    path = tmp_path / "anyone.onnx"
    shutil.copy(make(size=(64, 96)) / "model.onnx", path)
    assert check(load(path)) == [f"net.layers.conv{number}" for number in range(1, 11)]


def test_what_stands_before_the_first_convolution_is_the_first_blocks():
    layers = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(3, 3, 3), nn.InstanceNorm2d(3))
    net = StyleNet(layers, Contract(), Origin("a", "a", "0", "a"))
    (block,) = blocks_of(net)
    assert block.modules == ("net.1", "net.2", "net.0")
