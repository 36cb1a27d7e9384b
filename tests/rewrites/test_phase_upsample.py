"""Nearest x2 and a convolution, as one convolution and a shuffle."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.style_net import Origin, StyleNet
from sttk.toolkit.nets.johnson import JohnsonNet, JohnsonSpec, UpConv
from sttk.toolkit.nets.mobile import MobileNet, MobileSpec
from sttk.toolkit.rewrites import phase_upsample
from sttk.toolkit.rewrites.phase_upsample import PhaseConv

ORIGIN = Origin("tiny", "none", "", "sttk")


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    channels=st.integers(1, 5),
    out=st.integers(1, 4),
    sides=st.tuples(st.integers(1, 7), st.integers(1, 7)),
)
def test_it_is_the_upsampling_and_the_convolution(seed, channels, out, sides):
    torch.manual_seed(seed)
    up = UpConv(channels, out).double()
    x = torch.randn(2, channels, *sides).double()
    with torch.inference_mode():
        wanted, got = up(x), PhaseConv(up.conv).double()(x)
    assert got.shape == wanted.shape
    assert (got - wanted).abs().max() <= 1e-10 * max(1.0, float(wanted.abs().max()))


@pytest.mark.parametrize("size", [(32, 48), (61, 83), (40, 36)])
def test_a_mobile_net_stays_the_same_function(size):
    spec = MobileSpec(stem=4, trunk=6, blocks=2, head=5)
    net = StyleNet(MobileNet(spec).double(), Contract(), ORIGIN)
    rewritten, count = phase_upsample.rewrite(net)
    assert count == 2
    assert not any(isinstance(module, UpConv) for module in rewritten.modules())
    assert not any(isinstance(module, PhaseConv) for module in net.modules())
    x = torch.rand(1, 3, *size).double() * 255
    with torch.inference_mode():
        wanted, got = net(x), rewritten(x)
    assert (got - wanted).abs().max() <= 1e-10 * 255


def test_nets_without_upsamplings_are_left_as_they_are():
    net = StyleNet(JohnsonNet(JohnsonSpec(blocks=1, upsample="transposed")), Contract(), ORIGIN)
    assert phase_upsample.rewrite(net) == (net, 0)
