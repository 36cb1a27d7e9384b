"""Affine int8: x is approximated by scale * (q - zero_point), q an integer from -128 to 127."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LOWEST, HIGHEST = -128, 127
_LEVELS = HIGHEST - LOWEST
_BINS = 2048
# Fractions of the largest value that are tried as the end of the range.
_RANGE_ENDS = np.linspace(0.2, 1.0, 41)

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Affine:
    """The quantisation of one tensor.

    Attributes:
        scale: the step between two levels.
        zero_point: the level that stands for 0.
    """

    scale: float
    zero_point: int

    def __post_init__(self) -> None:
        """Raise ValueError for impossible values: these come from files."""
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"a scale of {self.scale}")
        if not (type(self.zero_point) is int and LOWEST <= self.zero_point <= HIGHEST):
            raise ValueError(f"a zero point of {self.zero_point}")

    def narrowed(self, lowest: int) -> Affine:
        """Return the affine that maps the same range to ``lowest``..127 in place of -128..127."""
        if self.zero_point != LOWEST or lowest == LOWEST:
            return self  # a symmetric range has no number below -127
        scale = float(np.float32(self.scale * _LEVELS / (HIGHEST - lowest)))
        return Affine(scale, lowest)


# Represents a picture of 0..255 without loss.
PICTURE = Affine(1.0, LOWEST)


def fit(values: Values) -> Affine:
    """Return the affine with the least squared error over ``values``.

    Values that are never negative (after a ReLU) get all 256 levels, others a symmetric range. The
    range may end below the largest value: clipping a few rare values costs less than coarser steps
    for all of them (measured on ink and candy: 1 to 8 dB on every kind of picture).
    """
    largest = float(np.abs(values).max(initial=0.0))
    if largest < np.finfo(np.float32).tiny * _LEVELS:
        return Affine(1.0, 0)  # all values are zero or negligible
    unsigned = bool(values.min() >= 0)
    counts, edges = np.histogram(values.astype(np.float64), bins=_BINS)
    centres = (edges[:-1] + edges[1:]) / 2
    candidates = [_affine(largest * float(end), unsigned) for end in _RANGE_ENDS]
    return min(candidates, key=lambda affine: _squared_error(affine, centres, counts))


def _affine(end: float, unsigned: bool) -> Affine:
    # Runtimes store scales in float32: round now, so that all use the same number.
    scale = float(np.float32(end / (_LEVELS if unsigned else HIGHEST)))
    return Affine(scale, LOWEST if unsigned else 0)


def _squared_error(
    affine: Affine, values: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]
) -> float:
    q = np.clip(np.rint(values / affine.scale) + affine.zero_point, LOWEST, HIGHEST)
    error = affine.scale * (q - affine.zero_point) - values
    return float(np.sum(counts * error**2))
