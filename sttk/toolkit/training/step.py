"""The losses of one training step: perceptual, steadiness under noise, and a teacher's."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sttk.toolkit.losses.perceptual import Losses, PerceptualLoss
from sttk.toolkit.training.recipe import Recipe
from sttk.toolkit.training.scaled import Scaled

# Grey levels, standard deviation: what a camera adds to a still scene from frame to frame.
_NOISE = 4.0


def step_losses(
    net: nn.Module,
    scaled: Scaled,
    photo: Tensor,
    loss: PerceptualLoss,
    recipe: Recipe,
    noise: Tensor | None = None,
    teacher: nn.Module | None = None,
) -> Losses:
    """The weighted terms of one batch.

    Args:
        net: ``scaled``, perhaps in the wrapper that shares its gradients.
        scaled: the net itself, for its inner features.
        photo: (B, 3, H, W) in 0..255 RGB.
        loss: of the painting.
        recipe: the weights of the terms beside it.
        noise: standard normal numbers like ``photo``, for the steadiness term; None for without.
        teacher: a finished net whose pictures are to be imitated.
    """
    # One pass for both: a second would count twice where gradients are shared between processes.
    both = net(photo if noise is None else torch.cat([photo, photo + _NOISE * noise]))
    output = both[: len(photo)]
    terms = loss(output, loss.content_of(photo), scaled.inner).terms
    if noise is not None:
        terms["steady"] = recipe.steady_weight * F.mse_loss(both[len(photo) :], output)
    if teacher is not None:
        with torch.no_grad():
            wanted = teacher(photo).float()
        terms["teacher"] = recipe.teacher_weight * F.mse_loss(output, wanted)
    return Losses(terms)
