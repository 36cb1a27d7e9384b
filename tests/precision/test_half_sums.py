from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sttk.toolkit.precision.half_sums import HalfConvolutions, HalfSums, run_with_half_sums


def half(*shape, seed=0, spread=1.0):
    drawn = np.random.default_rng(seed).standard_normal(shape) * spread
    return torch.from_numpy(drawn.astype(np.float16))


def by_hand(x, weight, bias, stride=1, padding=0, dilation=1, groups=1):
    """Return a convolution whose every step is written out in float32 and rounded."""
    x = F.pad(x.float(), [padding] * 4)
    out, inner, *kernel = weight.shape
    sides = [
        (side - dilation * (taps - 1) - 1) // stride + 1
        for side, taps in zip(x.shape[2:], kernel, strict=True)
    ]
    total = bias.float().view(1, -1, 1, 1).expand(len(x), out, *sides)
    own = torch.arange(out) // (out // groups) * inner  # each output channel's first input
    for i, j, channel in np.ndindex(*kernel, inner):
        shifted = x[:, own + channel, i * dilation :: stride, j * dilation :: stride]
        factors = weight[:, channel, i, j].float().view(1, -1, 1, 1)
        total = (total + shifted[..., : sides[0], : sides[1]] * factors).half().float()
    return total.half()


@pytest.mark.parametrize(
    "options",
    [{}, {"stride": 2}, {"padding": 1}, {"stride": 2, "padding": 1, "dilation": 2}, {"groups": 2}],
)
@pytest.mark.parametrize("spread", [1e-5, 1.0, 200.0], ids=["subnormal", "usual", "overflow"])
def test_a_convolution_adds_up_as_by_hand(options, spread):
    x, bias = half(2, 6, 13, 17, spread=spread), half(8)
    weight = half(8, 6 // options.get("groups", 1), 3, 3, seed=1, spread=spread)
    with HalfSums():
        y = F.conv2d(x, weight, bias, **options)
    assert y.dtype == torch.float16
    wanted = by_hand(x, weight, bias, **options)
    assert torch.equal(y, wanted) or torch.equal(y.isnan(), wanted.isnan())
    assert torch.equal(y.nan_to_num(), wanted.nan_to_num())


@pytest.mark.parametrize(
    "options",
    [{}, {"stride": 2}, {"padding": 1}, {"stride": 2, "padding": 1, "dilation": 2}, {"groups": 2}],
)
def test_it_is_a_convolution(options):
    x, bias = half(2, 6, 13, 17), half(8)
    weight = half(8, 6 // options.get("groups", 1), 3, 3, seed=1)
    with HalfSums():
        y = F.conv2d(x, weight, bias, **options)
    wanted = F.conv2d(x.double(), weight.double(), bias.double(), **options)
    assert 1e-3 < (y - wanted).abs().max() < 0.1


@pytest.mark.parametrize(
    "options",
    [{"stride": 2, "padding": 3}, {"stride": 2, "padding": 1, "output_padding": 1}, {}],
)
def test_it_is_a_transposed_convolution(options):
    x, weight, bias = half(2, 6, 13, 17), half(6, 8, 4, 4, seed=1), half(8)
    with HalfSums():
        y = F.conv_transpose2d(x, weight, bias, **options)
    wanted = F.conv_transpose2d(x.double(), weight.double(), bias.double(), **options)
    assert y.dtype == torch.float16
    assert 1e-3 < (y - wanted).abs().max() < 0.2


def test_a_phase_of_a_transposed_convolution_is_a_convolution():
    x, weight, bias = half(1, 6, 5, 7), half(6, 8, 2, 2, seed=1), half(8)
    with HalfSums():
        y = F.conv_transpose2d(x, weight, bias, stride=2)
        corner = F.conv2d(x, weight[:, :, 1, 0].T[..., None, None], bias)
    assert torch.equal(y[:, :, 1::2, 0::2], corner)


def test_one_with_groups_is_refused():
    with HalfSums(), pytest.raises(NotImplementedError):
        F.conv_transpose2d(half(1, 4, 5, 5), half(4, 2, 3, 3), groups=2)


def test_sums_end_where_float16_counts_no_further():
    with HalfSums():
        y = F.conv2d(torch.ones(1, 3000, 1, 1).half(), torch.ones(1, 3000, 1, 1).half())
    assert y.item() == 2048


def test_means_are_added_up_in_float32():
    with HalfSums():
        mean = torch.ones(1, 1, 60, 60).half().mean((2, 3))
    assert mean.dtype == torch.float16
    assert mean.item() == 1


def test_float32_blocks_are_left_alone():
    torch.manual_seed(0)
    net, x = nn.Conv2d(3, 4, 3), np.random.default_rng(0).random((1, 3, 9, 9), np.float32)
    with torch.inference_mode():
        wanted = net(torch.from_numpy(x))
    assert np.array_equal(run_with_half_sums(net, x), wanted.numpy())


def test_float32_that_stands_for_float16_adds_its_bias_last():
    x, weight, bias = half(1, 6, 9, 9), half(8, 6, 3, 3, seed=1), half(8, seed=2)
    with HalfSums():
        wanted = F.conv2d(x, weight) + bias.view(-1, 1, 1)
    with HalfConvolutions():
        found = F.conv2d(x.float(), weight.float(), bias.float())
    assert found.dtype == torch.float32
    assert torch.equal(found, wanted.float())
