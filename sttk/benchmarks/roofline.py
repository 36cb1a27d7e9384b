"""Roofline model: the lower bound of a row's time on this machine (Williams et al. 2009).

A layer cannot be faster than its multiplications at the peak rate of its arithmetic, nor than its
bytes, each moved once, at the bandwidth of a copy. The bound of a net is the sum of the bounds of
its layers; operations other than convolutions and norms are assumed to be free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sttk.benchmarks.peaks import COPY
from sttk.toolkit.precision.cost import Layer

# Bytes of a value; for int8, of the narrowest values that could be moved.
_WIDTHS = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 1}


def limit(
    layers: Iterable[Layer], arithmetic: str, peaks: Mapping[str, float], batch: int = 1
) -> float | None:
    """Return the seconds of one run at the machine's peaks, or None if a peak is unknown.

    Args:
        layers: the costs of the layers for one picture.
        arithmetic: the arithmetic of the multiplications, such as ``int8`` or, on a GPU,
            ``cuda fp16``.
        peaks: the measured peaks (``sttk.benchmarks.peaks.Peaks.measure``).
        batch: the number of pictures in a batch.
    """
    *device, kind = arithmetic.split()
    copy = " ".join([*device, COPY])
    if arithmetic not in peaks or copy not in peaks:
        return None
    width = _WIDTHS[kind]
    return sum(
        max(
            batch * layer.products / peaks[arithmetic],
            width * (layer.weights + batch * (layer.given + layer.made)) / peaks[copy],
        )
        for layer in layers
    )


def products(layers: Iterable[Layer]) -> int:
    """Return the number of multiplications for one picture."""
    return sum(layer.products for layer in layers)
