"""Every style that the package ships: its file, its card, its page."""

from __future__ import annotations

import pytest

from sttk.toolkit import styles
from sttk.toolkit.evaluation.held_out import HeldOut
from sttk.toolkit.evaluation.mobile_comparison import MobileComparison
from sttk.toolkit.evaluation.style_page import stages, with_facts
from sttk.toolkit.io.files import size_of
from sttk.toolkit.losses.objective import Objective


@pytest.fixture(params=styles.names())
def name(request):
    return request.param


def test_a_card_says_where_the_net_comes_from(name):
    card = styles.find(name).origin.card
    assert card["name"] == name
    assert card["painting"]
    assert len(card["painting_sha256"]) == 64
    assert card["licence"] == "public domain"
    assert Objective.from_dict(card["recipe"]["objective"]).layers
    assert sum(stage["steps"] for stage in stages(card)) > 1000


@pytest.mark.parametrize("name", styles.full_names())
def test_a_card_holds_what_the_net_reaches_on_photographs_it_never_saw(name):
    held = HeldOut.from_card(styles.find(name).origin.card)
    assert len(held.photographs) >= 3
    assert set(held.starts) == {"noise", "content"}


@pytest.mark.parametrize("name", styles.small_names())
def test_a_small_nets_card_holds_how_it_compares_with_the_full_net(name):
    card = styles.find(name).origin.card
    comparison = MobileComparison.from_card(card)
    assert name.startswith(f"{comparison.full}-mobile-")
    assert comparison.full == card["teacher"]["name"]
    assert len(comparison.pairs) >= 12
    assert comparison.ratio < 1.5


def test_its_page_is_that_of_its_card(name):
    page = styles.folder() / f"{name}.md"
    text = page.read_text(encoding="utf-8")
    assert text == with_facts(text, styles.find(name).origin.card)


def test_the_package_stays_small():
    assert size_of(styles.folder()) < 20_000_000
