"""One optimisation from files to files: checks first, then the pixels, with pictures as it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from torch import Tensor

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.gatys.optimise import GatysStep, optimise, white_noise
from sttk.toolkit.host.memory import check_fits
from sttk.toolkit.imaging.images import Picture, from_batch, read_image, to_batch, write_image
from sttk.toolkit.losses.objective import Objective
from sttk.toolkit.losses.perceptual import PerceptualLoss
from sttk.toolkit.losses.vgg_weights import load_vgg
from sttk.toolkit.runtimes.stylize import scale_down
from sttk.toolkit.training.log import LossLog
from sttk.toolkit.training.pictures import painting_batch

# Measured at 384 and 640 px, VGG-19 to relu5_1 with its gradients: 2.8 kB a pixel; and the fifty
# pairs of pictures that L-BFGS remembers, 1.2 kB.
BYTES_PER_PIXEL = 4500
# relu5_1 is at a sixteenth of the size.
_LEAST_SIDE = 32


@dataclass(frozen=True)
class GatysConfig:
    """What is to be optimised.

    Attributes:
        content: photograph, whose layout is kept.
        style: painting.
        size: longer side of the result in pixels, at most.
        style_size: of the painting.
        objective: layers and weights.
        vgg: weights of the loss network; None for those at hand.
        init: ``noise`` or ``content``.
        seed: of the noise.
    """

    content: Path
    style: Path
    size: int
    style_size: int
    objective: Objective
    iterations: int
    optimizer: str = "lbfgs"
    init: str = "noise"
    seed: int = 0
    vgg: Path | None = None
    device: str = "cpu"


@dataclass
class Run:
    """A prepared optimisation; ``step`` is the last that was reached, ``log`` a row for each."""

    config: GatysConfig
    loss: PerceptualLoss
    photo: Tensor
    log: LossLog = field(default_factory=LossLog)
    step: GatysStep | None = None

    @classmethod
    def prepare(cls, config: GatysConfig) -> Run:
        """Read the pictures, see that they fit into memory, load the loss network.

        Raises:
            ImageError: a picture cannot be read, or the result would not fit into memory.
            UsageError: the loss network does not suit the objective, or the picture is too small.
        """
        photo = photo_batch(config.content, config.size).to(config.device)
        style = painting_batch(config.style, config.style_size).to(config.device)
        vgg = load_vgg(config.objective, config.vgg).to(config.device)
        return cls(config, PerceptualLoss(vgg, style, config.objective), photo)

    def steps(self, report: Callable[[GatysStep, float], None]) -> None:
        """Optimise to the end; ``report`` is called with each step and the seconds so far.

        Raises:
            TrainingError: the objective is no number; ``step`` keeps the last good one.
        """
        config, began = self.config, monotonic()
        noise = config.init == "noise"
        start = white_noise(self.photo, config.seed) if noise else self.photo
        content = self.loss.content_of(self.photo)
        found = optimise(
            self.loss, content, start, iterations=config.iterations, optimizer=config.optimizer
        )
        for step in found:
            self.step = step
            self.log.add(step.losses)
            self.log.close_row(step.iteration, monotonic() - began)
            report(step, monotonic() - began)

    def summary(self) -> dict[str, Any]:
        """What came out, as plain JSON values."""
        step, rows = self.step, self.log.rows
        return {
            "iterations": step.iteration if step else 0,
            "evaluations": step.evaluations if step else 0,
            "seconds": rows[-1]["seconds"] if rows else 0.0,
            "losses": step.losses if step else {},
            "objective": self.config.objective.to_dict(),
        }

    def summary_line(self) -> str:
        """The same for people."""
        found = self.summary()
        first, last = self.log.rows[0]["total"], self.log.rows[-1]["total"]
        return (
            f"{found['iterations']} iterations in {found['seconds']:.0f} s, "
            f"loss {first:.4g} to {last:.4g}"
        )


def photo_batch(path: Path, longer_side: int) -> Tensor:
    """A photograph as (1, 3, H, W) in 0..255, if its optimisation fits into memory.

    Raises:
        ImageError: it cannot be read, or does not fit.
        UsageError: it is too small for the loss network.
    """
    photo = scale_down(read_image(path), longer_side)
    height, width = photo.rgb.shape[:2]
    if min(height, width) < _LEAST_SIDE:
        raise UsageError(f"{path}: {width}x{height}, a side is under {_LEAST_SIDE} px")
    check_fits(height, width, BYTES_PER_PIXEL, fix="pass a smaller --size")
    return torch.from_numpy(to_batch(photo.rgb))


def picture_of(step: GatysStep) -> Picture:
    """What a step shows, clipped to 0..255."""
    return Picture(from_batch(step.picture.cpu().numpy()))


def write_step(step: GatysStep, path: Path) -> None:
    """As a picture, whole or not at all."""
    write_image(path, picture_of(step))
