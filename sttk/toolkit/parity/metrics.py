"""The metrics by which two outputs are compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PEAK = 255.0
# Width of the border in pixels; at most a quarter of the picture. A wrong padding shows in a few
# rows, which a mean over the whole picture hides: reflect and edge differ by 55 dB at 512 px.
BORDER = 16

Array = NDArray[Any]


@dataclass(frozen=True)
class Difference:
    """The difference of two arrays.

    Attributes:
        largest, mean: absolute errors, in units of 0..255.
        psnr: peak signal-to-noise ratio in dB, for a peak of 255; infinite for equal arrays.
    """

    largest: float
    mean: float
    psnr: float

    @property
    def rms(self) -> float:
        """The root mean square error, in units of 0..255."""
        return float(PEAK * 10.0 ** (-self.psnr / 20))


@dataclass(frozen=True)
class Regions:
    """The difference of two pictures: of the whole, of the border, and of the rest."""

    whole: Difference
    border: Difference
    inside: Difference

    def __iter__(self) -> Iterator[Difference]:
        return iter((self.whole, self.border, self.inside))


def difference(candidate: Array, reference: Array) -> Difference:
    """Compare two arrays of one shape, in float64. NaN anywhere makes every figure NaN."""
    return _figures(_distance(candidate, reference))


def regions(candidate: Array, reference: Array) -> Regions:
    """Compare two batches (B, 3, H, W) of one shape, in float64."""
    distance = _distance(candidate, reference)
    height, width = distance.shape[-2:]
    rows, columns = min(BORDER, height // 4), min(BORDER, width // 4)
    within = np.zeros((height, width), bool)
    within[rows : height - rows, columns : width - columns] = True
    border, inside = distance[..., ~within], distance[..., within]
    # A side of three pixels has no border.
    parts = [_figures(part if part.size else distance) for part in (border, inside)]
    return Regions(_figures(distance), *parts)


def _distance(candidate: Array, reference: Array) -> Array:
    return np.abs(candidate.astype(np.float64) - reference.astype(np.float64))


def _figures(distance: Array) -> Difference:
    mse = float(np.mean(distance**2))
    psnr = float("inf") if mse == 0 else 10 * float(np.log10(PEAK**2 / mse))
    return Difference(float(distance.max()), float(distance.mean()), psnr)
