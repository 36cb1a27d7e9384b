"""Nearest x2 and a convolution, as one convolution and a shuffle."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.contract import Contract
from toolkit.nets import johnson, mobile
from toolkit.nets.mobile import MobileNet, MobileSpec
from toolkit.rewrites.phase_upsample import PhaseConv, phase_conv, phase_upsample
from toolkit.style_net import Origin, StyleNet

ORIGIN = Origin("tiny", "none", "", "sttk")


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    channels=st.integers(1, 5),
    out=st.integers(1, 4),
    sides=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    kind=st.sampled_from(["zeros", "no bias", "reflected"]),
)
def test_it_is_the_upsampling_and_the_convolution(seed, channels, out, sides, kind):
    torch.manual_seed(seed)
    if kind == "reflected":
        up = johnson.UpConv(channels, out)
    else:
        up = mobile.UpConv(channels, out, bias=kind == "zeros")
    up = up.double()
    x = torch.randn(2, channels, *sides).double()
    with torch.inference_mode():
        wanted, got = up(x), phase_conv(up).double()(x)
    assert got.shape == wanted.shape
    assert (got - wanted).abs().max() <= 1e-10 * max(1.0, float(wanted.abs().max()))


@pytest.mark.parametrize("block", ["residual", "inverted"])
@pytest.mark.parametrize("size", [(32, 48), (61, 83), (40, 36)])
def test_a_mobile_net_stays_the_same_function(block, size):
    spec = MobileSpec(stem=4, trunk=6, blocks=2, block=block, head=5)
    net = StyleNet(MobileNet(spec).double(), Contract(), ORIGIN)
    rewritten, count = phase_upsample(net)
    assert count == 2
    assert not any(isinstance(module, mobile.UpConv) for module in rewritten.modules())
    assert not any(isinstance(module, PhaseConv) for module in net.modules())
    x = torch.rand(1, 3, *size).double() * 255
    with torch.inference_mode():
        wanted, got = net(x), rewritten(x)
    assert (got - wanted).abs().max() <= 1e-10 * 255


def test_a_johnson_net_is_left_as_it_is(net):
    assert phase_upsample(net) == (net, 0)


def test_what_is_no_upsampling_is_refused():
    with pytest.raises(TypeError, match="Conv2d is no upsampling"):
        phase_conv(torch.nn.Conv2d(3, 3, 3))
