"""A large kernel to few channels, as a strided convolution."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sttk.exporters import exporter
from sttk.exporters.base import ExportRequest
from sttk.exporters.prepare import prepare
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.style_net import Origin, StyleNet
from sttk.toolkit.nets.johnson import JohnsonSpec
from sttk.toolkit.opened.artifact import open_artifact, quantized
from sttk.toolkit.rewrites import wide_head
from sttk.toolkit.rewrites.phase_upsample import NAME as PHASES
from sttk.toolkit.rewrites.wide_head import NAME, STRIDE, WideConv
from tests.conftest import nightly, random_johnson
from tests.exporters.phones import SMALL, follows

ORIGIN = Origin("tiny", "none", "", "sttk")


def styled(module, **contract):
    return StyleNet(module, Contract(**contract), ORIGIN)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    channels=st.integers(1, 5),
    out=st.integers(1, 4),
    kernel=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    stride=st.integers(2, 5),
    sides=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.integers(0, 2),
    bias=st.booleans(),
)
def test_it_is_the_convolution(seed, channels, out, kernel, stride, sides, padding, bias):
    torch.manual_seed(seed)
    conv = nn.Conv2d(channels, out, kernel, padding=padding, bias=bias).double()
    height, width = (
        stride * side + k - 1 - 2 * padding for side, k in zip(sides, kernel, strict=True)
    )
    x = torch.randn(2, channels, max(1, height), max(1, width)).double()
    if min(height, width) < 1:
        return
    with torch.inference_mode():
        wanted, got = conv(x), WideConv(conv, stride).double()(x)
    assert got.shape == wanted.shape
    assert (got - wanted).abs().max() <= 1e-10 * max(1.0, float(wanted.abs().max()))


@pytest.mark.parametrize("upsample", ["nearest", "transposed"])
@pytest.mark.parametrize("size", [(32, 48), (61, 83), (40, 36)])
def test_a_johnson_net_stays_the_same_function(upsample, size):
    spec = JohnsonSpec(widths=(4, 6, 8), blocks=1, upsample=upsample, output="tanh")
    net = styled(random_johnson(spec))
    rewritten, count = wide_head.rewrite(net)
    assert count == 1
    x = torch.rand(1, 3, *size).double() * 255
    with torch.inference_mode():
        wanted, got = net.double()(x), rewritten.double()(x)
    assert (got - wanted).abs().max() <= 1e-10 * 255


def test_the_net_itself_is_left_alone(net):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    rewritten, _ = wide_head.rewrite(net)
    assert rewritten is not net
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(isinstance(module, WideConv) for module in net.modules())


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(8, 3, 3, padding=1),  # no large kernel
        nn.Conv2d(3, 8, 9, padding=4),  # not few channels
        nn.Conv2d(3, 3, 9, padding=8, dilation=2),
        nn.Conv2d(3, 3, 9, padding=4, groups=3),
        nn.Conv2d(3, 3, 9, padding=4, padding_mode="reflect"),
        nn.Conv2d(3, 3, 9, padding="same"),
    ],
)
def test_what_does_not_suit_is_left_as_it_is(conv):
    net = styled(nn.Sequential(nn.Conv2d(3, conv.in_channels, 1), conv))
    assert wide_head.rewrite(net) == (net, 0)


def test_a_layer_whose_output_has_sides_of_any_length_is_left_as_it_is():
    net = styled(nn.Conv2d(3, 3, 9, padding=4), size_multiple=1)
    assert wide_head.rewrite(net) == (net, 0)
    twice = nn.Sequential(nn.Upsample(scale_factor=STRIDE), nn.Conv2d(3, 3, 9, padding=4))
    assert wide_head.rewrite(styled(twice))[1] == 1


@pytest.mark.parametrize(
    ("target", "rewrites"), [("onnx", (PHASES, NAME)), ("openvino", (PHASES, NAME)), ("trt", ())]
)
def test_targets_get_what_pays_there(target, rewrites, net):
    assert prepare(ExportRequest(net), exporter(target)).rewrites == rewrites


def test_they_can_be_left_out(net):
    prepared = prepare(ExportRequest(net, rewrite=False), exporter("onnx"))
    assert prepared.request.net is net
    assert prepared.rewrites == ()


@pytest.mark.parametrize("shape", [nightly(("--size", "64")), ("--dynamic",)])
def test_a_rewritten_export_is_exact(shape, sttk, checkpoint, tmp_path):
    made = sttk("export", checkpoint, *shape, "-o", tmp_path)
    assert made.exit_code == 0, made.output
    (folder,) = (tmp_path / "tiny").iterdir()
    assert read_manifest(folder).rewrites == (PHASES, NAME)
    judged = sttk("parity", folder, "--promise", "exact")
    assert judged.exit_code == 0, judged.output


@pytest.mark.parametrize("target", ["onnx", "openvino"])
def test_in_int8_the_rewritten_net_is_what_is_quantised(target, make, net):
    folder = make(target, size=SMALL, precision="int8")
    opened = open_artifact(folder)
    assert opened.manifest.rewrites[-2:] == (PHASES, NAME)
    reference = quantized(net, opened.manifest)
    assert any(isinstance(module, WideConv) for module in reference.modules())
    assert follows(folder, reference, net)
