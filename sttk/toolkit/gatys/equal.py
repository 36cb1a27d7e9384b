"""How many iterations of Gatys' optimisation reach what a net reaches in one pass.

Both are judged by one objective. The term ``peak``, which is of the net's inner features and not of
the picture, is no part of the comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from sttk.toolkit.losses.perceptual import PerceptualLoss


class IterationLosses(Protocol):
    """What an optimisation tells after an iteration."""

    @property
    def iteration(self) -> int:
        """From 1; a step 0, of the start itself, is passed over."""

    @property
    def losses(self) -> Mapping[str, float]:
        """Weighted terms and their ``total``."""


@dataclass(frozen=True)
class Equal:
    """A picture's loss, and the optimisation's as it goes.

    Attributes:
        aim: total loss of the picture.
        curve: total of the optimisation by iteration, as far as it was followed.
    """

    aim: float
    curve: Mapping[int, float]

    @property
    def iterations(self) -> int | None:
        """The first iteration that is as good as the picture; None if none that was tried is."""
        return next((at for at, total in self.curve.items() if total <= self.aim), None)


@torch.no_grad()
def losses_of(loss: PerceptualLoss, photo: Tensor, picture: Tensor) -> dict[str, float]:
    """The weighted terms of a picture of a photograph, and their ``total``.

    Args:
        loss: of the painting.
        photo: (1, 3, H, W) in 0..255 RGB.
        picture: of the same size: a net's output, or an optimised one.
    """
    return loss(picture, loss.content_of(photo)).floats()


def equal_iterations(aim: float, steps: Iterable[IterationLosses], *, least: int = 0) -> Equal:
    """Follow an optimisation until it is as good as a picture, or ends.

    Args:
        aim: ``total`` of :func:`losses_of` the picture.
        steps: the optimisation of the same photograph by the same loss; it is left where it stands
            once the aim is reached.
        least: iterations to follow in any case.
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
