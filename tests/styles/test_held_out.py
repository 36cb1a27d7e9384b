"""Figures of photographs not trained on, in a net's card."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from sttk.toolkit.checkpoints import load, native
from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.evaluation.held_out import KEY, HeldOut


def test_a_card_gives_back_what_was_put_in(held):
    card = json.loads(json.dumps({KEY: held.to_dict()}, sort_keys=True))  # as a net's file has it
    assert HeldOut.from_card(card) == held
    assert HeldOut.from_card(card).starts == held.starts
    assert HeldOut.from_card({"painting": "a.png"}) is None


def test_means_and_ratio(held):
    assert held.starts == ("noise", "content")
    assert held.losses == {"content": 70.0, "style": 40.0, "total": 110.0}
    assert held.optimised("noise") == 100.0
    assert held.ratio("noise") == pytest.approx(1.1)
    assert held.ratio("content") == pytest.approx(2.2)


def test_what_was_not_reached_counts_as_more_than_all_that_were_tried(held):
    assert held.equal("noise") == "90"  # of 60, 90 and more than 500
    assert held.equal("content") == ">500"
    assert replace(held, photographs=held.photographs[:2]).equal("noise") == ">500"


@pytest.mark.parametrize("half", [True, False])
def test_a_card_is_replaced_and_nothing_else(net, tmp_path, half):
    path = tmp_path / "net.safetensors"
    native.save_net(path, net.net, net.contract, {"painting": "a.png"}, half=half)
    before, about = native.read(path)
    native.write_card(path, {"painting": "b.png", KEY: {"size": 256}})
    after, changed = native.read(path)
    assert after.keys() == before.keys()
    for name, value in before.items():
        assert after[name].dtype == value.dtype
        assert torch.equal(after[name], value)
    assert changed == {**about, "card": {"painting": "b.png", KEY: {"size": 256}}}
    assert load(path).origin.card["painting"] == "b.png"


def test_a_card_is_for_our_own_files(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    was = path.read_bytes()
    with pytest.raises(CheckpointError, match="its metadata is not sttk's"):
        native.write_card(path, {})
    assert path.read_bytes() == was
