"""Calibration pictures: photographs as they are, and degraded as by cameras."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from sttk.toolkit.imaging.degradations import (
    Degradation,
    blurred,
    bright,
    dark,
    intact,
    of_low_contrast,
)
from sttk.toolkit.imaging.images import read_image, to_batch

_SIZE = (256, 256)
# Thresholds of the mean of 0..255.
_DARK, _BRIGHT = 64.0, 192.0
# Mean step between neighbouring pixels over the contrast (standard deviation). Over 33 photographs:
# 0.06 to 0.38 in focus, except for one of clouds, and 0.008 to 0.066 blurred.
_BLURRED = 0.05

# What a calibration on good photographs alone never sees: imaging/degradations.py says why.
DEGRADATIONS: tuple[Degradation, ...] = (intact, blurred, dark, bright, of_low_contrast)


def pictures(files: Sequence[Path]) -> Iterator[Tensor]:
    """Yield each picture with each degradation, (1, 3, 256, 256) in 0..255."""
    for file in files:
        fitted = ImageOps.fit(Image.fromarray(read_image(file).rgb), _SIZE)
        for degrade in DEGRADATIONS:
            yield torch.from_numpy(to_batch(degrade(np.array(fitted))))


@dataclass
class Coverage:
    """The counts of the calibration pictures by kind; a picture may be of several kinds."""

    pictures: int = 0
    dark: int = 0
    bright: int = 0
    blurred: int = 0

    def counted(self, batches: Iterable[Tensor]) -> Iterator[Tensor]:
        """Yield the same batches, and count them."""
        for batch in batches:
            mean = batch.mean().item()
            step, contrast = batch.diff(dim=3).abs().mean().item(), batch.std().item()
            self.pictures += len(batch)
            self.dark += mean < _DARK
            self.bright += mean > _BRIGHT
            self.blurred += step < _BLURRED * contrast
            yield batch

    def to_dict(self) -> dict[str, int]:
        """Return the counts as plain JSON values."""
        return asdict(self)
