"""How far a row is from what the machine could do (Williams et al. 2009, "Roofline").

A layer cannot be quicker than its multiplications at the peak of its arithmetic, nor than its
bytes, each moved once, at the bandwidth of a copy. The limit of a net is the sum of its layers';
all that stands between convolutions and norms is taken to be free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sttk.benchmarks.peaks import COPY
from sttk.toolkit.precision.cost import Layer

# Bytes of a value: of int8, of the narrowest that could be moved.
_WIDTHS = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 1}


def limit(
    layers: Iterable[Layer], arithmetic: str, peaks: Mapping[str, float], batch: int = 1
) -> float | None:
    """Seconds of one run at the machine's peaks, or None if one of them is not known.

    Args:
        layers: of one picture.
        arithmetic: of the multiplications, such as ``int8`` or, on a GPU, ``cuda fp16``.
        peaks: see ``sttk.benchmarks.peaks.Peaks.measure``.
        batch: pictures at once.
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
    """Multiplications of one picture."""
    return sum(layer.products for layer in layers)
