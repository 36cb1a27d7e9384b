"""The losses of a training step: perceptual, stability under noise, and distillation."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sttk.toolkit.losses.perceptual import Losses, PerceptualLoss
from sttk.toolkit.training.recipe import Recipe
from sttk.toolkit.training.scaled import Scaled

# Standard deviation in grey levels: the noise of a camera between two frames of a still scene.
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
    """Return the weighted loss terms of one batch.

    Args:
        net: ``scaled``, possibly wrapped to average gradients between processes.
        scaled: the net itself, for its inner features.
        photo: (B, 3, H, W) in 0..255 RGB.
        loss: the perceptual loss for the painting.
        recipe: the recipe with the weights of the other terms.
        noise: standard normal noise in the shape of ``photo`` for the stability term; None to leave
            the term out.
        teacher: a finished net whose output is imitated; None to leave the term out.
    """
    # One forward pass for both: with two, gradients shared between processes would count twice.
    both = net(photo if noise is None else torch.cat([photo, photo + _NOISE * noise]))
    output = both[: len(photo)]
    terms = loss(output, loss.content_of(photo), scaled.inner).terms
    if noise is not None:
        terms["steady"] = recipe.steady_weight * F.mse_loss(both[len(photo) :], output)
    if teacher is not None:
        with torch.no_grad():
            target = teacher(photo).float()
        terms["teacher"] = recipe.teacher_weight * F.mse_loss(output, target)
    return Losses(terms)
