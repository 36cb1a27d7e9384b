"""The signal-to-noise ratio of a tensor against its reference."""

from __future__ import annotations

import math

import numpy as np

from sttk.toolkit.imaging.images import Floats

_SPATIAL = (-2, -1)


def snr(actual: Floats, expected: Floats) -> float:
    """Return the signal-to-noise ratio in dB of two arrays of one shape, infinite if equal.

    NaN in ``actual`` counts as no signal at all: minus infinity.
    """
    exact = expected.astype(np.float64)
    with np.errstate(all="ignore"):
        noise = float(np.square(actual.astype(np.float64) - exact).sum())
    signal = float(np.square(exact).sum())
    if noise == 0:
        return math.inf
    if signal == 0 or not math.isfinite(noise):
        return -math.inf
    return 10 * math.log10(signal / noise)


def agreement(actual: Floats, expected: Floats, *, cancelled: bool) -> tuple[float, float]:
    """Return the SNR in dB of ``actual / scale``, and the scale.

    Args:
        actual: the model's tensor, (B, C, H, W).
        expected: the reference's tensor, of the same shape.
        cancelled: an instance norm follows, which cancels a constant per channel and a common
            scale. Exporters drop the constant and may choose the scale, a power of two
            (sttk.toolkit.rewrites.scale_fold), so neither counts. Otherwise the scale is 1.
    """
    if not cancelled:
        return snr(actual, expected), 1.0
    actual, expected = _centred(actual), _centred(expected)
    scale = _power_of_two(actual, expected)
    return snr(actual / scale, expected), scale


def _centred(x: Floats) -> Floats:
    exact = x.astype(np.float64)
    with np.errstate(all="ignore"):
        centred: Floats = exact - exact.mean(_SPATIAL, keepdims=True)
    return centred


def _power_of_two(actual: Floats, expected: Floats) -> float:
    """Return the power of two nearest to the least-squares scale of ``actual``; 1 if none."""
    with np.errstate(all="ignore"):
        scale = float((actual * expected).sum() / np.square(expected).sum())
    return 2.0 ** round(math.log2(scale)) if scale > 0 and math.isfinite(scale) else 1.0
