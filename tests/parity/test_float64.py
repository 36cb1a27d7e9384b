from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from sttk.toolkit.parity.float64 import Float64Convolutions
from sttk.toolkit.parity.sequential_sums import SequentialSums


@given(
    channels=st.integers(1, 5),
    out=st.integers(1, 5),
    kernel=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    size=st.tuples(st.integers(17, 24), st.integers(17, 24)),
    bias=st.booleans(),
)
def test_convolutions_are_torchs(channels, out, kernel, stride, padding, dilation, size, bias):
    torch.manual_seed(0)
    x = torch.randn(2, channels, *size, dtype=torch.float64)
    weight = torch.randn(out, channels, *kernel, dtype=torch.float64)
    offset = torch.randn(out, dtype=torch.float64) if bias else None
    wanted = F.conv2d(x, weight, offset, stride, padding, dilation)
    with Float64Convolutions():
        got = F.conv2d(x, weight, offset, stride, padding, dilation)
    assert got.shape == wanted.shape
    assert (got - wanted).abs().max() <= 1e-12 * (1 + wanted.abs().max())


def test_what_is_not_float64_of_one_group_is_left_to_torch():
    x, weight = torch.randn(1, 4, 9, 9), torch.randn(4, 1, 3, 3)
    with Float64Convolutions():
        assert torch.equal(F.conv2d(x, weight, groups=4), F.conv2d(x, weight, groups=4))
        grouped = F.conv2d(x.double(), weight.double(), groups=4)
    assert torch.equal(grouped, F.conv2d(x.double(), weight.double(), groups=4))


@pytest.mark.parametrize("mean", [0.0, 100.0])
def test_sums_in_turn_cost_what_a_running_sum_costs(mean):
    torch.manual_seed(0)
    x = mean + torch.randn(1, 8, 128, 128)
    exact = F.instance_norm(x.double())
    with SequentialSums():
        modelled = (F.instance_norm(x) - exact).square().mean().sqrt()
    flat = x.flatten(2).numpy()
    running = in_turn(flat) / np.float32(flat.shape[2])
    spread = np.sqrt(in_turn((flat - running) ** 2) / np.float32(flat.shape[2]) + np.float32(1e-5))
    real = np.sqrt(np.mean(((flat - running) / spread - exact.flatten(2).numpy()) ** 2))
    assert real / 10 < modelled < real * 20


def in_turn(x):
    """float32 sums, one term after another: numpy's own sum goes by pairs."""
    return np.cumsum(x, axis=2, dtype=np.float32)[..., -1:]


def test_sums_in_turn_err_the_same_every_time():
    x = torch.rand(1, 4, 32, 32)
    found = []
    for _ in range(2):
        with SequentialSums():
            found.append(F.instance_norm(x))
    assert torch.equal(*found)
    assert not torch.equal(found[0], F.instance_norm(x))
