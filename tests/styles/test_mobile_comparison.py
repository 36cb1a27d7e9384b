from __future__ import annotations

import json

import pytest

from sttk.commands.train import train
from sttk.toolkit.evaluation.mobile_comparison import KEY, MobileComparison, Pair
from sttk.toolkit.evaluation.style_page import _TEACHER_WEIGHT, command, facts
from sttk.toolkit.nets.trainable import SIZES
from sttk.toolkit.training.recipe import Recipe

PAIRS = tuple(
    Pair(f"p{i}", {"style": small, "total": small}, {"style": 50.0, "total": 100.0})
    for i, small in enumerate((90.0, 110.0, 200.0))
)


def test_ratios():
    comparison = MobileComparison("wave", (256, 384), PAIRS)
    assert [pair.ratio for pair in PAIRS] == [0.9, 1.1, 2.0]
    assert comparison.ratio == 1.1
    assert comparison.terms() == {"style": pytest.approx(2.2), "total": 1.1}
    assert (
        MobileComparison.from_card(json.loads(json.dumps({KEY: comparison.to_dict()})))
        == comparison
    )
    assert MobileComparison.from_card({}) is None


def test_the_page_of_a_mobile_net():
    recipe = Recipe(spec=SIZES["mobile-s"], steps=900, teacher_weight=3.0)
    card = {
        "name": "wave-mobile-s",
        "painting": "wave.jpg",
        "licence": "public domain",
        "photographs": 10,
        "loss_network": "vgg16",
        "recipe": recipe.to_dict(),
        "steps": 900,
        "minutes": 2.0,
        "losses": {"teacher": 7.0, "total": 8.0},
        "teacher": {"name": "wave"},
        KEY: MobileComparison("wave", (256, 384), PAIRS).to_dict(),
    }
    told = facts(card)
    assert "| net | mobile-s: stem 16, trunk 48, 5 inverted x2 residual blocks, head 16 |" in told
    assert "; the picture of wave x 3 |" in told
    assert "On 3 photographs not trained on, at 256x384" in told
    assert "those of wave, medians: style 2.20; total 1.10." in told
    assert command(card) == (
        "sttk train --style wave.jpg --content PHOTOS --vgg VGG --net mobile-s --steps 900 "
        "--teacher wave --teacher-weight 3.0 --name wave-mobile-s"
    )
    card["recipe"]["teacher_weight"] = 30.0
    assert "--teacher-weight" not in command(card)


def test_the_commands_default_is_not_written():
    (option,) = (each for each in train.params if each.name == "teacher_weight")
    assert option.default == _TEACHER_WEIGHT
