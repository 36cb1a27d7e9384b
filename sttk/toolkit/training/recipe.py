"""The training recipe: everything that determines what a run computes, and nothing else."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from sttk.toolkit.losses.objective import Objective
from sttk.toolkit.nets.johnson import JohnsonSpec
from sttk.toolkit.nets.trainable import Spec

_WARMUP = 0.02


@dataclass(frozen=True)
class Recipe:
    """A training recipe.

    The defaults suit two CPU cores; Johnson et al. 2016 trained for 40,000 steps with batches of 4
    at 256 px.

    Attributes:
        spec: the architecture of the net.
        objective: the terms of the perceptual loss and their weights.
        steps: the number of optimiser steps; None if ``minutes`` is set.
        minutes: the training time in place of ``steps``.
        batch: the number of crops in a batch.
        size: the side of the square training crops in pixels.
        style_size: the longer side of the painting in pixels; smaller means finer strokes.
        learning_rate: Adam's peak learning rate; it is warmed up, then decays to zero by a cosine.
        seed: the random seed of weights, crops and noise.
        precision: ``fp32``, or ``bf16`` or ``fp16`` for the convolutions; weights and losses stay
            float32.
        steady_weight: the weight of the mean squared difference of the output under noise in the
            photograph, which reduces flicker in video (Rainy 2018, "Stabilizing neural
            style-transfer for video", has the same term).
        teacher_weight: the weight of the mean squared difference from a teacher's output.
    """

    spec: Spec = field(default_factory=JohnsonSpec)
    objective: Objective = field(default_factory=Objective)
    steps: int | None = 2000
    minutes: float | None = None
    batch: int = 2
    size: int = 192
    style_size: int = 512
    learning_rate: float = 1e-3
    seed: int = 0
    precision: str = "fp32"
    steady_weight: float = 0.0
    teacher_weight: float = 0.0

    def rate(self, progress: float) -> float:
        """Return the learning rate at ``progress`` of the run, in 0..1."""
        if progress < _WARMUP:
            return self.learning_rate * max(progress, 1e-3) / _WARMUP
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values for state files and model cards."""
        return asdict(self)
