"""An optimisation from input files to a picture: checks, the iterations, and the loss log."""

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

# Measured at 384 and 640 px: 2.8 kB a pixel for VGG-19 up to relu5_1 with its gradients, and 1.2 kB
# for the fifty pairs of pictures in the history of L-BFGS.
BYTES_PER_PIXEL = 4500
# relu5_1 has a sixteenth of the resolution.
_LEAST_SIDE = 32


@dataclass(frozen=True)
class GatysConfig:
    """The configuration of an optimisation.

    Attributes:
        content: the photograph, whose layout is kept.
        style: the painting.
        size: the longest side of the result in pixels.
        style_size: the longest side of the painting in pixels.
        objective: the layers and weights of the loss.
        iterations: the number of iterations.
        optimizer: ``lbfgs`` or ``adam``.
        init: the start, ``noise`` or ``content``.
        seed: the seed of the noise.
        vgg: a file with the loss network's weights; None to find them (``load_vgg``).
        device: the torch device.
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
    """A prepared optimisation.

    Attributes:
        config: its configuration.
        loss: the perceptual loss for the painting.
        photo: the photograph, (1, 3, H, W) in 0..255.
        log: the losses, a row for each step.
        step: the last step so far.
    """

    config: GatysConfig
    loss: PerceptualLoss
    photo: Tensor
    log: LossLog = field(default_factory=LossLog)
    step: GatysStep | None = None

    @classmethod
    def prepare(cls, config: GatysConfig) -> Run:
        """Read the pictures, check that they fit into memory, and load the loss network.

        Raises:
            ImageError: a picture cannot be read, or the result would not fit into memory.
            UsageError: the loss network does not suit the objective, or the picture is too small.
        """
        photo = photo_batch(config.content, config.size).to(config.device)
        style = painting_batch(config.style, config.style_size).to(config.device)
        vgg = load_vgg(config.objective, config.vgg).to(config.device)
        return cls(config, PerceptualLoss(vgg, style, config.objective), photo)

    def steps(self, on_step: Callable[[GatysStep, float], None]) -> None:
        """Optimise to the end; ``on_step`` is called with each step and the seconds so far.

        Raises:
            TrainingError: the objective is not finite; ``step`` keeps the last good step.
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
            on_step(step, monotonic() - began)

    def summary(self) -> dict[str, Any]:
        """Return the outcome as plain JSON values."""
        step, rows = self.step, self.log.rows
        return {
            "iterations": step.iteration if step else 0,
            "evaluations": step.evaluations if step else 0,
            "seconds": rows[-1]["seconds"] if rows else 0.0,
            "losses": step.losses if step else {},
            "objective": self.config.objective.to_dict(),
        }

    def summary_line(self) -> str:
        """Return the outcome as a line of text."""
        found = self.summary()
        first, last = self.log.rows[0]["total"], self.log.rows[-1]["total"]
        return (
            f"{found['iterations']} iterations in {found['seconds']:.0f} s, "
            f"loss {first:.4g} to {last:.4g}"
        )


def photo_batch(path: Path, longer_side: int) -> Tensor:
    """Read a photograph as (1, 3, H, W) in 0..255 and check that its optimisation fits into memory.

    Raises:
        ImageError: it cannot be read, or its optimisation does not fit into memory.
        UsageError: it is too small for the loss network.
    """
    photo = scale_down(read_image(path), longer_side)
    height, width = photo.rgb.shape[:2]
    if min(height, width) < _LEAST_SIDE:
        raise UsageError(f"{path}: {width}x{height}, a side is under {_LEAST_SIDE} px")
    check_fits(height, width, BYTES_PER_PIXEL, fix="pass a smaller --size")
    return torch.from_numpy(to_batch(photo.rgb))


def picture_of(step: GatysStep) -> Picture:
    """Return the picture of a step, clipped to 0..255."""
    return Picture(from_batch(step.picture.cpu().numpy()))


def write_step(step: GatysStep, path: Path) -> None:
    """Write the picture of a step, atomically."""
    write_image(path, picture_of(step))
