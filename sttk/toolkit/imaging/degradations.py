"""Degradations that cameras cause: inputs that a set of good photographs never shows a net.

An instance norm normalises the range again, but cannot restore what rounding has lost: that is
where float16 and int8 fail. Each function takes (H, W, 3) in 0..255 and returns whole numbers of
0..255.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from sttk.toolkit.imaging.images import Bytes, Floats

_BLUR = 4.0  # radius in pixels

Degradation = Callable[[Bytes], Floats]


def intact(rgb: Bytes) -> Floats:
    """Return the picture itself."""
    return rgb.astype(np.float32)


def blurred(rgb: Bytes) -> Floats:
    """Return the picture out of focus."""
    return np.array(Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(_BLUR)), np.float32)


def dark(rgb: Bytes) -> Floats:
    """Return the picture four stops underexposed: 0..16."""
    return np.rint(intact(rgb) / 16)


def bright(rgb: Bytes) -> Floats:
    """Return the picture washed out: 191..255."""
    return np.rint(255 - (255 - intact(rgb)) / 4)


def of_low_contrast(rgb: Bytes) -> Floats:
    """Return the picture in fog: 112..144."""
    return np.rint((intact(rgb) - 128) / 8 + 128)


def saturated(rgb: Bytes) -> Floats:
    """Return the picture with every channel at 0 or 255."""
    return np.where(rgb < 128, 0, 255).astype(np.float32)
