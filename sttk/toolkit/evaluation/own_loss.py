"""The objective that a style was trained on, as its card has it, ready to judge any picture."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from sttk.toolkit.core.errors import SttkError, UsageError
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.losses.objective import Objective
from sttk.toolkit.losses.perceptual import PerceptualLoss
from sttk.toolkit.losses.vgg_weights import load_vgg
from sttk.toolkit.nets.vgg import Vgg
from sttk.toolkit.styles.painting import find_painting
from sttk.toolkit.training.pictures import painting_batch

_OPTION = "--vgg"  # of most commands


def own_loss(
    net: StyleNet, paintings: Iterable[Path], vgg: Path | None, *, option: str = _OPTION
) -> PerceptualLoss:
    """Of the net's own painting, without the term that is of its inner features.

    Args:
        net: trained by sttk.
        paintings: folders in which its painting lies.
        vgg: weights of the loss network; None for those at hand.
        option: what the caller's user passes them as.

    Raises:
        UsageError: the net has no card, its painting is not there, or the loss network is another
            than it was trained on.
        NotRunError: there are no weights.
    """
    card = net.origin.card
    if "recipe" not in card:
        raise UsageError(f"{net.origin.name} does not say what it was trained on")
    recipe = card["recipe"]
    # An optimised picture has no inner features; none of the other terms changes with it.
    objective = replace(Objective.from_dict(recipe["objective"]), peak_weight=0.0)
    found = _loss_network(objective, vgg, option)
    if found.variant != card["loss_network"]:
        raise UsageError(
            f"{net.origin.name} was trained on {card['loss_network']}, not {found.variant}",
            fix=f"pass its weights as {option}",
        )
    with tempfile.TemporaryDirectory(prefix="sttk-") as scratch:
        painting = find_painting(card, paintings, Path(scratch))
        style = painting_batch(painting, recipe["style_size"])
    return PerceptualLoss(found, style, objective)


def _loss_network(objective: Objective, vgg: Path | None, option: str) -> Vgg:
    """As ``load_vgg``, whose errors tell of the option that most commands have."""
    try:
        return load_vgg(objective, vgg)
    except SttkError as error:
        if error.fix:
            error.fix = error.fix.replace(_OPTION, option)
        raise
