"""The part of a model card that is made from the net's file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sttk.toolkit.evaluation.held_out import KEY
from sttk.toolkit.evaluation.style_page import BEGIN, END, command, facts, stages, with_facts
from sttk.toolkit.losses.objective import Objective
from sttk.toolkit.nets.trainable import SIZES
from sttk.toolkit.styles.painting import CUT
from sttk.toolkit.training.recipe import Recipe

RECIPE = Recipe(steps=4000, objective=replace(Objective(), style_weight=25.0))


@pytest.fixture
def card():
    return {
        "name": "wave",
        "painting": "wave.jpg",
        "licence": "public domain",
        "photographs": 1613,
        "loss_network": "vgg16",
        "recipe": RECIPE.to_dict(),
        "steps": 4000,
        "minutes": 20.0,
        "losses": {"content": 1234.5, "total": 2000.0},
    }


def test_the_command_has_what_is_not_default(card):
    assert command(card) == (
        "sttk train --style wave.jpg --content PHOTOS --vgg VGG --steps 4000 "
        "--style-weight 25.0 --name wave"
    )
    card["recipe"] = replace(RECIPE, steps=None, minutes=20.5, size=256).to_dict()
    card["start"] = {}
    assert "--init START --minutes 20.5 --size 256" in command(card)


def test_facts_are_the_cards(card, held):
    told = facts(card)
    for fact in ("32/64/128", "`wave.jpg`", "public domain", "1,613", "4,000 steps", "20 minutes"):
        assert fact in told
    assert "not trained on" not in told
    card[KEY] = held.to_dict()
    card[CUT] = {"file": "whole.jpg", "box": [0, 10, 512, 512]}
    told = facts(card)
    assert "On 3 photographs not trained on, at 256 px: content 70; style 40; total 110." in told
    assert "after 100 iterations | 1.10 | 2.20 |" in told
    assert "median | 90 | >500 |" in told
    assert "of `whole.jpg` columns 0 to 512, rows 10 to 512" in told


def test_the_stages_of_training_are_those_of_the_nets_that_it_began_as(card):
    first = {**card, "steps": 300, "minutes": 5.0, "painting": "ink.png"}
    assert stages(card) == [card]
    assert "| 4,000 steps of 2 crops of 192 px on `wave.jpg`, fp32, 20 minutes |" in facts(card)
    card["start"] = first
    assert stages(card) == [first, card]
    assert "| 300 steps of 2 crops of 192 px on `ink.png`, fp32, 5 minutes; then 4,000 " in facts(
        card
    )
    first["start"] = {"sha256": "0" * 64, "layout": "sttk"}
    assert stages(card) == [first, card]
    assert "| a net without a record, then 300 steps" in facts(card)


def test_what_was_written_by_hand_stays(card):
    first = with_facts("# wave\n\nWeak: the sky.\n", card)
    assert first == f"# wave\n\nWeak: the sky.\n\n{BEGIN}\n\n{facts(card)}\n\n{END}\n"
    around = f"# wave\n\n{BEGIN}\nold\n{END}\n\nWeak: the sky.\n"
    second = with_facts(around, card)
    assert second == f"# wave\n\n{BEGIN}\n\n{facts(card)}\n\n{END}\n\nWeak: the sky.\n"
    assert with_facts(second, card) == second


def test_a_size_is_named_though_its_card_is_older_than_a_hyperparameter(card):
    card["recipe"] = replace(RECIPE, spec=SIZES["mobile-m"]).to_dict()
    del card["recipe"]["spec"]["expand"]
    assert "| net | mobile-m: stem 16, trunk 48, 5 residual blocks, head 16 |" in facts(card)
    assert "--net mobile-m" in command(card)
