"""How cameras spoil pictures: what a net meets that good photographs alone never show.

An instance norm turns each of these back to its own range, but for what rounding has lost: that is
where float16 and int8 fall. Each takes (H, W, 3) in 0..255 and returns whole numbers of 0..255.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from sttk.toolkit.imaging.images import Bytes, Floats

_BLUR = 4.0  # radius in pixels

Degradation = Callable[[Bytes], Floats]


def intact(rgb: Bytes) -> Floats:
    """The picture itself."""
    return rgb.astype(np.float32)


def blurred(rgb: Bytes) -> Floats:
    """Out of focus."""
    return np.array(Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(_BLUR)), np.float32)


def dark(rgb: Bytes) -> Floats:
    """Four stops under: 0..16."""
    return np.rint(intact(rgb) / 16)


def bright(rgb: Bytes) -> Floats:
    """Washed out: 191..255."""
    return np.rint(255 - (255 - intact(rgb)) / 4)


def of_low_contrast(rgb: Bytes) -> Floats:
    """Fog: 112..144."""
    return np.rint((intact(rgb) - 128) / 8 + 128)


def saturated(rgb: Bytes) -> Floats:
    """Every channel off or full on."""
    return np.where(rgb < 128, 0, 255).astype(np.float32)
