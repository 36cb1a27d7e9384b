"""The number of iterations after which Gatys' optimisation reaches a net's loss.

Both are evaluated with the same objective, without the term ``peak``, which depends on the net's
inner features and not on the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from sttk.toolkit.losses.perceptual import PerceptualLoss


class IterationLosses(Protocol):
    """The losses of an optimisation after an iteration."""

    @property
    def iteration(self) -> int:
        """The iteration, from 1; iteration 0, the start itself, is skipped."""

    @property
    def losses(self) -> Mapping[str, float]:
        """The weighted loss terms and their ``total``."""


@dataclass(frozen=True)
class Equal:
    """A picture's loss, and the loss curve of the optimisation.

    Attributes:
        aim: the total loss of the picture.
        curve: the total loss of the optimisation by iteration, as far as it was run.
    """

    aim: float
    curve: Mapping[int, float]

    @property
    def iterations(self) -> int | None:
        """The first iteration whose loss is at most the picture's; None if none was reached."""
        return next((at for at, total in self.curve.items() if total <= self.aim), None)


@torch.no_grad()
def losses_of(loss: PerceptualLoss, photo: Tensor, picture: Tensor) -> dict[str, float]:
    """Return the weighted loss terms of a stylised photograph, and their ``total``.

    Args:
        loss: the perceptual loss for the painting.
        photo: (1, 3, H, W) in 0..255 RGB.
        picture: the stylised photograph in the same shape: a net's output or an optimised picture.
    """
    return loss(picture, loss.content_of(photo)).floats()


def equal_iterations(aim: float, steps: Iterable[IterationLosses], *, least: int = 0) -> Equal:
    """Run an optimisation until it ends or reaches the loss of a picture.

    Args:
        aim: the picture's total loss, ``total`` of :func:`losses_of`.
        steps: the optimisation of the same photograph with the same loss; it is not consumed
            further once the aim is reached.
        least: the number of iterations to run in any case.
    """
    curve: dict[int, float] = {}
    reached = False
    for step in steps:
        if step.iteration == 0:
            continue
        curve[step.iteration] = step.losses["total"]
        reached = reached or curve[step.iteration] <= aim
        if reached and step.iteration >= least:
            break
    return Equal(aim, curve)
