"""How far two outputs are apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolkit.images import Floats

_PEAK = 255.0


@dataclass(frozen=True)
class Difference:
    """In units of 0..255; ``psnr`` in dB against a peak of 255, infinite for equal arrays."""

    largest: float
    mean: float
    psnr: float


def difference(candidate: Floats, reference: Floats) -> Difference:
    """Compare two arrays of one shape, in float64. NaN anywhere makes every figure NaN."""
    delta = np.abs(candidate.astype(np.float64) - reference.astype(np.float64))
    mse = float(np.mean(delta**2))
    psnr = float("inf") if mse == 0 else 10 * float(np.log10(_PEAK**2 / mse))
    return Difference(float(delta.max()), float(delta.mean()), psnr)
