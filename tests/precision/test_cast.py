from __future__ import annotations

import copy

import pytest
import torch

from sttk.toolkit.core.plan import Plan
from sttk.toolkit.precision.cast import cast_net
from sttk.toolkit.precision.half import RoundedHalf

FIRST = {"net.conv1": "fp32", "net.norm1": "fp32"}


def types(net, x):
    """Of each leaf module's result, by name."""
    found = {}
    for name, module in net.named_modules():
        if not any(module.children()):
            module.register_forward_hook(lambda _, __, y, name=name: found.update({name: y.dtype}))
    with RoundedHalf(), torch.inference_mode():
        found[""] = net(x).dtype
    return found


@pytest.fixture
def x():
    return torch.rand((1, 3, 32, 48), generator=torch.Generator().manual_seed(0)) * 255


def test_each_module_computes_in_its_own_type(net, x):
    plan = Plan.of_blocks("fp16", {**FIRST, "net.blocks.0.norm1": "fp32", "net.head": "fp32"})
    found = types(cast_net(net, plan), x)
    full = {name for name, dtype in found.items() if dtype == torch.float32}
    assert full == {"", "net.conv1.pad", "net.conv1.conv", "net.norm1", "net.blocks.0.norm1",
                    "net.head.pad", "net.head.conv"}  # fmt: skip
    assert {found[name] for name in found.keys() - full} == {torch.float16}


def test_the_net_itself_is_left_alone(net):
    before = copy.deepcopy(net.state_dict())
    cast_net(net, Plan("fp16"))
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert {value.dtype for value in net.state_dict().values()} == {torch.float32}


def test_in_float32_nothing_changes(net, x):
    assert torch.equal(cast_net(net, Plan("fp32"))(x), net(x))


def test_the_picture_reaches_a_float32_block_whole(net):
    x = torch.full((1, 3, 32, 48), 100.03)  # float16 has 100.0 and 100.06
    seen = []
    mixed = cast_net(net, Plan.of_blocks("fp16", FIRST))
    mixed.net.conv1.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    with RoundedHalf():
        mixed(x)
    assert torch.equal(seen[0], x)


def test_weights_alone_are_rounded_where_half_is_carried_in_float(net, x):
    carriers = dict.fromkeys(("fp32", "fp16"), torch.float32)
    mixed = cast_net(net, Plan.of_blocks("fp16", FIRST), carriers)
    state, wanted = mixed.state_dict(), net.state_dict()
    assert torch.equal(state["net.conv1.conv.weight"], wanted["net.conv1.conv.weight"])
    head = "net.head.conv.weight"
    assert torch.equal(state[head], wanted[head].half().float())
    assert not torch.equal(state[head], wanted[head])
    assert set(types(mixed, x).values()) == {torch.float32}


def test_rounded_half_is_float16_arithmetic(net, x):
    """Against torch's own kernels, which add up a convolution in float32, too."""
    mixed = cast_net(net, Plan("fp16"))
    with torch.inference_mode():
        with RoundedHalf():
            rounded = mixed(x)
        own, exact = mixed(x), net(x)
    assert (rounded - exact).abs().max() > 0.05
    assert (rounded - own).square().mean() < (own - exact).square().mean()


def test_float16_overflows_as_it_does_on_a_device(net, x):
    with RoundedHalf():
        assert torch.isinf(x.half() * 1000).any()
        assert (x.half() + x).dtype == torch.float32
        assert (x.half() * 2.0).dtype == torch.float16


def test_between_two_float32_blocks_nothing_is_rounded(net, x):
    """Nor where they stand in a sequence, which is no block of the plan."""
    every = cast_net(net, Plan.of_blocks("fp16", {"net.norm3": "fp32", "net.blocks.0": "fp32"}))
    seen = []
    every.net.blocks[0].conv1.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    with RoundedHalf(), torch.inference_mode():
        every(x)
    assert not torch.equal(seen[0], seen[0].half().float())
