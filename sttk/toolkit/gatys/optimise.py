"""Optimisation of the pixels of a picture on an objective (Gatys et al. 2015)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite

import torch
from torch import Tensor, optim

from sttk.toolkit.core.errors import TrainingError, UsageError
from sttk.toolkit.losses.perceptual import PerceptualLoss

# Adam's learning rate, for pixels in 0..255.
_LEARNING_RATE = 10.0
_HISTORY = 50
# Mean change of a pixel in the first step of L-BFGS, in grey levels.
_FIRST_STEP = 1.0
# An L-BFGS step that raises the objective above this multiple of the lowest value so far is undone,
# and its history is cleared.
_JUMP = 1.5


@dataclass(frozen=True)
class GatysStep:
    """The state of an optimisation after an iteration.

    Attributes:
        iteration: the number of iterations so far; 0 is the start.
        losses: the weighted loss terms of the picture, and their ``total``.
        picture: (1, 3, H, W), nominally in 0..255 but not clipped.
        evaluations: the number of evaluations of the objective and its gradient so far.
    """

    iteration: int
    losses: dict[str, float]
    picture: Tensor
    evaluations: int


def optimise(
    loss: PerceptualLoss,
    content: Tensor | None,
    start: Tensor,
    *,
    iterations: int,
    optimizer: str = "lbfgs",
    learning_rate: float | None = None,
) -> Iterator[GatysStep]:
    """Yield the start, then the state after each iteration.

    Args:
        loss: the objective.
        content: ``loss.content_of`` of the photograph; None if there is no content loss.
        start: (1, 3, H, W) in 0..255; it is not modified.
        iterations: the number of iterations; one may evaluate the objective more than once.
        optimizer: ``lbfgs`` or ``adam``.
        learning_rate: the learning rate; the default is 1 for ``lbfgs`` and 10 (of 255) for
            ``adam``.

    Raises:
        UsageError: there is no optimizer of this name.
        TrainingError: the objective is not finite; the states yielded before remain valid.
    """
    point = _Point(loss, content, start)
    method, rate = _method(optimizer, point.picture, learning_rate)
    best = point.step(0)
    yield best
    for iteration in range(1, iterations + 1):
        method.step(point.evaluate)
        method.param_groups[0]["lr"] = rate
        step = point.step(iteration)
        if optimizer == "lbfgs" and step.losses["total"] > _JUMP * best.losses["total"]:
            point.move_to(best.picture)
            method, rate = _method(optimizer, point.picture, learning_rate)
            step = replace(best, iteration=iteration, evaluations=step.evaluations)
        elif step.losses["total"] < best.losses["total"]:
            best = step
        yield step


def white_noise(like: Tensor, seed: int) -> Tensor:
    """Return Gaussian noise around middle grey in the shape of ``like``; the same on any device.

    Its standard deviation is one grey level, as in jcjohnson/neural-style: stronger noise stays in
    the picture, because the deep layers do not see it. With a deviation of 64 it still covered the
    picture after 100 iterations, at a loss that differed by only 6 %.
    """
    drawn = torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))
    return (127.5 + drawn).to(like)


def _method(name: str, picture: Tensor, rate: float | None) -> tuple[optim.Optimizer, float]:
    """Return the optimizer, set up for its first step, and the learning rate after that."""
    if name == "adam":
        rate = _LEARNING_RATE if rate is None else rate
        return optim.Adam([picture], lr=rate), rate
    if name != "lbfgs":
        raise UsageError(f"{name}: no optimizer", fix="lbfgs or adam")
    # No line search, as in the authors' code: one evaluation per iteration. Measured on three pairs
    # at 64 px, 60 iterations: the loss fell in every window of 20; torch's strong Wolfe search
    # reached the same loss on two pairs, and on the third ended in steps of length zero.
    # torch's first step has the learning rate as its L1 norm over the whole picture. At 1 it is
    # lost in rounding, and so is the curvature estimated from it: a second step of 10,000 grey
    # levels was seen.
    first = float(picture.numel()) * _FIRST_STEP
    return optim.LBFGS(
        [picture],
        lr=first,
        max_iter=1,
        history_size=_HISTORY,
        tolerance_grad=0.0,
        tolerance_change=0.0,
    ), 1.0 if rate is None else rate


class _Point:
    """The picture, with its losses and gradient cached until it changes."""

    def __init__(self, loss: PerceptualLoss, content: Tensor | None, start: Tensor) -> None:
        self.picture = start.detach().clone().requires_grad_()
        self._loss = loss
        self._content = content
        self._at = self._gradient = self.picture
        self._losses: dict[str, float] = {}
        self._evaluations = 0
        # The first step of L-BFGS depends on the gradient's size, and torch discards the update of
        # its history where y . s is under 1e-10: unscaled, gatys2016 did not move in 60 iterations.
        # With the mean gradient at the start scaled to 1, the size of the weights does not matter.
        self._scale = 1.0
        self._compute()
        mean = float(self._gradient.abs().mean())
        self._scale = 1 / mean if mean else 1.0

    def evaluate(self) -> float:
        """Return the scaled objective and store its gradient on the picture."""
        if not torch.equal(self._at, self.picture):
            self._compute()
        self.picture.grad = self._gradient * self._scale
        return self._losses["total"] * self._scale

    def move_to(self, picture: Tensor) -> None:
        """Continue from another picture."""
        with torch.no_grad():
            self.picture.copy_(picture)

    def step(self, iteration: int) -> GatysStep:
        """Return a copy of the current state."""
        self.evaluate()
        return GatysStep(iteration, self._losses, self.picture.detach().clone(), self._evaluations)

    def _compute(self) -> None:
        losses = self._loss(self.picture, self._content)
        (self._gradient,) = torch.autograd.grad(losses.total, self.picture)
        self._at = self.picture.detach().clone()
        self._losses = losses.floats()
        self._evaluations += 1
        if not isfinite(self._losses["total"]):
            raise TrainingError(
                f"the objective is {self._losses['total']} after {self._evaluations} evaluations",
                fix="a lower learning rate or lower weights",
            )
