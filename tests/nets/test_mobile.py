from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sttk.toolkit.checkpoints import load
from sttk.toolkit.checkpoints.native import save_net
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.nets.mobile import MobileNet, MobileSpec
from sttk.toolkit.nets.trainable import SIZES, build, describe, spec_from

TINY = MobileSpec(stem=3, trunk=4, blocks=1, head=2)


def test_the_sizes_have_their_parameters():
    counts = {
        name: sum(p.numel() for p in build(spec).parameters()) for name, spec in SIZES.items()
    }
    # By hand: convolutions' weights and biases, two for each channel of a norm.
    c = 48
    stem = 25 * 3 * 16 + 16 + 9 * 16 * c + c + 2 * c
    head = 9 * c * 16 + 16 + 32 + 9 * 16 * 3 + 3
    residual = 2 * (9 * c * c + c + 2 * c)
    assert counts["mobile-m"] == stem + 5 * residual + head
    wide = 2 * c
    inverted = (c * wide + 3 * wide) + 12 * wide + (wide * c + 3 * c)
    assert counts["mobile-s"] == stem + 5 * inverted + head


@given(height=st.integers(8, 40), width=st.integers(8, 40), batch=st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_sizes_come_back_as_the_contract_says(height, width, batch):
    x = torch.rand(batch, 3, height, width)
    with torch.no_grad():
        y = MobileNet(TINY)(x)
    assert y.shape == (batch, 3, *Contract().output_size(height, width))


def test_the_contracts_smallest_side_is_taken():
    least = Contract().smallest_side
    with torch.no_grad():
        assert MobileNet(TINY)(torch.rand(1, 3, least, least)).isfinite().all()


def test_every_parameter_learns():
    net = MobileNet(TINY)
    net(torch.rand(2, 3, 16, 24)).square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    assert net.first is net.conv1.conv
    assert net.last is net.up2.conv
    assert len(net.norms()) == 4


def test_inverted_blocks_learn_and_keep_their_size():
    net = MobileNet(dataclasses.replace(TINY, blocks=2, expand=3))
    y = net(torch.rand(2, 3, 16, 24))
    assert y.shape == (2, 3, 16, 24)
    y.square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    assert [block.depth.conv.groups for block in net.blocks] == [12, 12]


@pytest.mark.parametrize("wrong", [{"stem": 0}, {"trunk": 1.5}, {"blocks": True}, {"head": 9999}])
def test_specs_of_files_are_not_trusted(wrong):
    with pytest.raises(ValueError, match="channels and blocks"):
        MobileSpec(**wrong)


@pytest.mark.parametrize("expand", [-1, 17, 2.0, True])
def test_blocks_of_files_are_not_trusted(expand):
    with pytest.raises(ValueError, match=f"blocks widened by {expand}"):
        MobileSpec(expand=expand)


def test_files_of_before_have_residual_blocks():
    about = describe(TINY)
    del about["spec"]["expand"]
    assert spec_from(about) == TINY


@pytest.mark.parametrize("spec", [TINY, *SIZES.values()])
def test_a_spec_comes_back_as_it_was(spec):
    assert spec_from(describe(spec)) == spec


def test_a_saved_net_is_the_same_net(tmp_path):
    net = MobileNet(dataclasses.replace(TINY, trunk=5)).eval()
    save_net(tmp_path / "net.safetensors", net, Contract(), {})
    again = load(tmp_path / "net.safetensors")
    x = torch.rand(1, 3, 20, 28) * 255
    with torch.no_grad():
        assert torch.equal(again(x), net(x).clamp(0, 255))
