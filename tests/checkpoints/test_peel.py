"""Nests and prefixes around weights: what scripts and wrappers add, and what hostile files do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sttk.toolkit.checkpoints import load
from sttk.toolkit.checkpoints.peel import candidates, chosen
from sttk.toolkit.core.errors import CheckpointError
from tests.checkpoints.test_load import fails, johnson, same, state  # noqa: F401


def prefixed(state, prefix):  # noqa: F811
    return {f"{prefix}{key}": value for key, value in state.items()}


WRAPPED = {
    "_orig_mod.": lambda s: prefixed(s, "_orig_mod."),
    "state_dict, model.": lambda s: {"epoch": 2, "state_dict": prefixed(s, "model.")},
    "module., _orig_mod.": lambda s: prefixed(s, "module._orig_mod."),
    "a, b, c, d, net.": lambda s: {"a": {"b": {"c": {"d": prefixed(s, "net.")}}}},
    "generator": lambda s: {"generator": dict(s), "discriminator": {"x.weight": torch.zeros(2)}},
    "transformer_state_dict": lambda s: {"transformer_state_dict": dict(s), "step": 3},
    "state_dict, style., left out vgg.": lambda s: {
        "state_dict": prefixed(s, "style.") | {"vgg.0.weight": torch.zeros(4, 3, 3, 3)}
    },
}


@pytest.mark.parametrize("said", WRAPPED)
def test_what_is_around_a_net_is_peeled_off_and_said(tmp_path, johnson, state, said, sttk):  # noqa: F811
    torch.save(WRAPPED[said](state), tmp_path / "x.pth")
    net = load(tmp_path / "x.pth")
    assert same(net, johnson)
    parts = net.origin.peeled.split(", ")
    assert sorted(parts) == sorted(said.split(", "))
    shown = sttk("inspect", tmp_path / "x.pth").stdout
    assert f"peeled off: {net.origin.peeled}" in shown


def test_nothing_is_said_where_nothing_was_peeled_off(tmp_path, state, sttk):  # noqa: F811
    torch.save(state, tmp_path / "x.pth")
    assert load(tmp_path / "x.pth").origin.peeled == ""
    assert "peeled" not in sttk("inspect", tmp_path / "x.pth").stdout


def test_modules_that_were_compiled_one_by_one(tmp_path, johnson, state):  # noqa: F811
    renamed = {key.replace("conv2d.", "_orig_mod.conv2d."): value for key, value in state.items()}
    torch.save(renamed, tmp_path / "x.pth")
    assert same(load(tmp_path / "x.pth"), johnson)


def test_the_better_name_wins_and_a_tie_is_refused(tmp_path, johnson, state):  # noqa: F811
    other = {key: value + 1 for key, value in state.items()}
    torch.save({"ema": other, "model": dict(state)}, tmp_path / "x.pth")
    assert same(load(tmp_path / "x.pth"), johnson)
    torch.save({"G_A": dict(state), "G_B": other}, tmp_path / "x.pth")
    fails(tmp_path / "x.pth", "several nets (G_A, G_B)")


def test_optimisers_are_no_nets(tmp_path, johnson, state):  # noqa: F811
    net = nn.ParameterList(nn.Parameter(value.clone()) for value in state.values())
    optimiser = torch.optim.Adam(net.parameters())
    sum(value.sum() for value in net.parameters()).backward()
    optimiser.step()
    content = {"optimizer": optimiser.state_dict(), "model": dict(state)}
    torch.save(content, tmp_path / "x.pth")
    assert same(load(tmp_path / "x.pth"), johnson)


def test_nests_that_hold_themselves_and_deep_ones_end():
    loop: dict = {"epoch": 1}
    loop["state_dict"] = loop
    assert candidates(loop)[0].state == {}
    deep: dict = {"x.y": torch.zeros(1, 3, 1, 1)}
    for _ in range(1000):
        deep = {"state_dict": deep}
    assert candidates(deep)[0].state == {}
    wide = {str(i): {str(j): {} for j in range(100)} for i in range(1000)}
    assert candidates(wide)[0].state == {}
    long = {"a." * 5000 + str(n): torch.zeros(1, 3, 1, 1) for n in range(3)}
    assert len(candidates(long)) < 100


def test_a_file_without_tensors(tmp_path):
    torch.save({"state_dict": {"model": {}}}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="holds no tensors"):
        load(tmp_path / "x.pth")
    assert chosen(candidates({}), bool) is None
