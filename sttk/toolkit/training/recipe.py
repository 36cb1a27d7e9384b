"""A training recipe: all that decides what a run computes, and nothing else."""

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
    """Defaults suit two CPU cores; Johnson et al. 2016 trained 40,000 steps of 4 at 256 px.

    Attributes:
        steps: optimiser steps; ``minutes`` in its place sets a time, measured as the run goes.
        size: side of the square training crops, pixels.
        style_size: longer side of the painting, pixels: smaller means finer strokes.
        learning_rate: Adam's peak; warmed up, then cosine to zero.
        precision: ``bf16`` and ``fp16`` run convolutions in it; weights and losses stay float32.
        steady_weight: of the mean squared difference that noise in the photograph makes in the
            picture: less flicker in video (Rainy 2018, "Stabilizing neural style-transfer for
            video", has the same term).
        teacher_weight: of the mean squared difference from a teacher's picture.
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
        """Learning rate at ``progress`` in 0..1 of the run."""
        if progress < _WARMUP:
            return self.learning_rate * max(progress, 1e-3) / _WARMUP
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, for state files and model cards."""
        return asdict(self)
