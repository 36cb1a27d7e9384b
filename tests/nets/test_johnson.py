from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sttk.toolkit.core.contract import Contract
from sttk.toolkit.nets.johnson import JohnsonNet, JohnsonSpec

TINY = JohnsonSpec(widths=(2, 3, 4), blocks=1)


def test_the_paper_s_net_has_its_parameters():
    # Counted by hand from the layers; pytorch/examples' candy.pth has as many.
    assert sum(p.numel() for p in JohnsonNet().parameters()) == 1_679_235


@given(height=st.integers(5, 40), width=st.integers(5, 40), batch=st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_sizes_come_back_as_the_contract_says(height, width, batch):
    x = torch.rand(batch, 3, height, width)
    with torch.no_grad():
        y = JohnsonNet(TINY).eval()(x)
    assert y.shape == (batch, 3, *Contract().output_size(height, width))


def test_a_side_below_the_contract_s_smallest_is_refused():
    net, least = JohnsonNet(TINY).eval(), Contract().smallest_side
    net(torch.rand(1, 3, least, least))
    with pytest.raises(RuntimeError, match="Padding size"):
        net(torch.rand(1, 3, least - 1, 32))


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("upsample", ["nearest", "transposed"])
def test_every_variant_runs_and_learns(norm, upsample):
    net = JohnsonNet(JohnsonSpec((2, 3, 4), 1, norm, upsample, "tanh"))
    y = net(torch.rand(2, 3, 16, 24))
    assert y.shape == (2, 3, 16, 24)
    y.square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_tanh_bounds_the_output():
    net = JohnsonNet(JohnsonSpec((2, 3, 4), 1, output="tanh")).eval()
    with torch.no_grad():
        net.head.conv.weight.mul_(1e4)
        y = net(torch.rand(1, 3, 16, 16) * 255)
    assert y.min() >= -22.5
    assert y.max() <= 277.5


def test_width_factor():
    assert JohnsonSpec.scaled(0.5).widths == (16, 32, 64)
    assert JohnsonSpec.scaled(0.001).widths == (1, 1, 1)
