"""What XNNPACK has no kernels for, in operations that it has: the same function each."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sttk.exporters.plain_norms import PlainNorms
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.style_net import Origin, StyleNet
from sttk.toolkit.nets.johnson import JohnsonSpec, UpConv
from sttk.toolkit.nets.mobile import MobileNet, MobileSpec
from sttk.toolkit.rewrites import sliced_pads, transposed_upsample
from sttk.toolkit.rewrites.rules import rewritten
from sttk.toolkit.rewrites.sliced_pads import SlicedPad
from sttk.toolkit.rewrites.transposed_upsample import TransposedUpConv
from tests.conftest import random_johnson

ORIGIN = Origin("tiny", "none", "", "sttk")
NAMES = ("transposed-upsample", "sliced-pads")
seeds = st.integers(0, 2**31)


def same(wanted, got, x):
    with torch.inference_mode():
        a, b = wanted(x), got(x)
    assert a.shape == b.shape
    assert (a - b).abs().max() <= 1e-10 * max(1.0, float(a.abs().max()))


@settings(max_examples=40, deadline=None)
@given(
    seed=seeds,
    channels=st.integers(1, 5),
    out=st.integers(1, 4),
    sides=st.tuples(st.integers(1, 7), st.integers(1, 7)),
)
def test_upsampling_and_convolution_are_a_transposed_convolution(seed, channels, out, sides):
    torch.manual_seed(seed)
    up = UpConv(channels, out).double()
    same(up, TransposedUpConv(up.conv).double(), torch.randn(2, channels, *sides).double())


@settings(max_examples=60, deadline=None)
@given(
    seed=seeds,
    pads=st.tuples(*[st.integers(0, 4)] * 4),
    sides=st.tuples(st.integers(5, 9), st.integers(5, 9)),
    kind=st.sampled_from([nn.ReflectionPad2d, nn.ReplicationPad2d]),
)
def test_pads_are_slices(seed, pads, sides, kind):
    torch.manual_seed(seed)
    x = torch.randn(2, 3, *sides).double()
    assert torch.equal(kind(pads)(x), SlicedPad(kind(pads))(x))


@settings(max_examples=40, deadline=None)
@given(
    seed=seeds,
    channels=st.integers(1, 5),
    sides=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    affine=st.booleans(),
    eps=st.sampled_from([1e-9, 1e-5, 1e-3]),
)
def test_norms_are_means_and_products(seed, channels, sides, affine, eps):
    torch.manual_seed(seed)
    norm = nn.InstanceNorm2d(channels, eps, affine=affine).double()
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    same(norm, PlainNorms(norm), 9 * torch.randn(2, channels, *sides).double() + 5)


def test_norms_are_found_whoever_calls_them():
    class Called(nn.Module):
        def forward(self, x):
            return nn.functional.instance_norm(input=x, eps=0.25)

    x = 1e4 + torch.randn(2, 3, 5, 7).double()
    same(Called(), PlainNorms(Called()), x)
    flat = PlainNorms(Called())(torch.full((1, 3, 5, 7), 127.0))
    assert torch.equal(flat, torch.zeros(1, 3, 5, 7))


def test_norms_of_stored_statistics_stay_as_they_are():
    norm = nn.InstanceNorm2d(3, track_running_stats=True).double().eval()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    same(norm, PlainNorms(norm), torch.randn(2, 3, 5, 7).double())


@pytest.mark.parametrize("size", [(32, 48), (61, 83), (40, 36)])
@pytest.mark.parametrize(
    "net",
    [
        MobileNet(MobileSpec(stem=4, trunk=6, blocks=2, head=5)),
        random_johnson(),
        random_johnson(JohnsonSpec(widths=(4, 6, 8), blocks=1, upsample="transposed")),
    ],
    ids=["mobile", "johnson", "transposed"],
)
def test_whole_nets_stay_the_same_function(net, size):
    styled = StyleNet(net.double(), Contract(), ORIGIN)
    changed, done = rewritten(styled, NAMES, "fp32")
    assert set(NAMES[1:]) <= set(done)
    left = {type(module) for module in changed.modules()}
    assert not left & {UpConv, nn.ReflectionPad2d, nn.ReplicationPad2d}
    same(styled, changed, torch.rand(1, 3, *size).double() * 255)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_they_are_for_every_precision(net, precision):
    assert rewritten(net, NAMES, precision)[1] == NAMES


@pytest.mark.parametrize("rule", [transposed_upsample, sliced_pads])
def test_what_has_nothing_to_rewrite_is_left_as_it_is(rule):
    net = StyleNet(nn.Conv2d(3, 3, 1), Contract(), ORIGIN)
    assert rule.rewrite(net) == (net, 0)


@pytest.mark.parametrize("rule", [transposed_upsample, sliced_pads])
def test_the_net_itself_is_left_alone(rule, net):
    kinds = [type(module) for module in net.modules()]
    changed, count = rule.rewrite(net)
    assert count
    assert [type(module) for module in changed.modules()] != kinds
    assert [type(module) for module in net.modules()] == kinds
