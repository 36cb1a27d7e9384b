"""The perceptual loss that a style was trained on, rebuilt from its card."""

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

_OPTION = "--vgg"  # the option of most commands


def own_loss(
    net: StyleNet, paintings: Iterable[Path], vgg: Path | None, *, option: str = _OPTION
) -> PerceptualLoss:
    """Return the loss that the net was trained on, without the term on its inner features.

    Args:
        net: a net that sttk trained.
        paintings: the folders to search for its painting.
        vgg: a file with the loss network's weights; None to find them (``load_vgg``).
        option: the command-line option for the weights, for error messages.

    Raises:
        UsageError: the net has no card, its painting is not found, or the loss network is not the
            one that it was trained on.
        NotRunError: the weights are not found and cannot be downloaded.
    """
    card = net.origin.card
    if "recipe" not in card:
        raise UsageError(f"{net.origin.name} does not say what it was trained on")
    recipe = card["recipe"]
    # An optimised picture has no inner features; the other terms do not depend on this one.
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
    """Call ``load_vgg`` and put the caller's option into the advice of its errors."""
    try:
        return load_vgg(objective, vgg)
    except SttkError as error:
        if error.fix:
            error.fix = error.fix.replace(_OPTION, option)
        raise
