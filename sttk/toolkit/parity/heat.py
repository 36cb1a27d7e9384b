"""Heat maps of a picture's error, pixel by pixel, on one scale for all pictures.

Errors run from a ten-thousandth of a grey level, which is rounding, to 255, so the scale is
logarithmic: rounding is dark and even, a fault is bright and has a shape.
"""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sttk.toolkit.parity.metrics import Array

# The marks of the scale, in grey levels of 0..255; the first and the last are its ends.
TICKS = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 255.0)
_LEAST, _MOST = TICKS[0], TICKS[-1]
# matplotlib's "inferno" (CC0) at nine places: perceptually uniform, also for the colour-blind.
SCALE = (
    (0, 0, 4), (31, 12, 72), (85, 15, 109), (136, 34, 106), (186, 54, 85),
    (227, 89, 51), (249, 140, 10), (249, 201, 50), (252, 255, 164),
)  # fmt: skip
NOT_FINITE = (0, 255, 255)  # a colour outside the scale
_LEVELS = 63  # a quarter of a byte's levels: rounding is noise, which PNG cannot compress
_LEGEND = 32  # pixels of height


def distance(output: Array, wanted: Array) -> Array:
    """Return each pixel's largest error over the channels, (B, H, W), of batches (B, 3, H, W)."""
    apart: Array = np.abs(output.astype(np.float64) - wanted).max(axis=1)
    return apart


def place(error: float) -> float:
    """Return an error's position on the scale, in 0..1."""
    span = math.log10(_MOST / _LEAST)
    return min(max(math.log10(max(error, _LEAST) / _LEAST) / span, 0.0), 1.0)


def pooled(apart: Array, longest: int) -> Array:
    """Max-pool an error map (H, W) until no side is longer than ``longest`` pixels.

    The maximum keeps single bad pixels, which a mean would hide. NaN and infinity stay.
    """
    block = -(-max(apart.shape) // longest)
    height, width = (-(-side // block) * block for side in apart.shape)
    padding = [(0, height - apart.shape[0]), (0, width - apart.shape[1])]
    padded = np.pad(apart, padding, mode="edge")
    blocks = padded.reshape(height // block, block, width // block, block)
    largest: Array = blocks.max(axis=(1, 3))
    return largest


def to_image(apart: Array) -> Image.Image:
    """Draw the heat map of errors (H, W), one pixel each."""
    with np.errstate(invalid="ignore"):
        share = np.log10(np.clip(apart, _LEAST, _MOST) / _LEAST) / math.log10(_MOST / _LEAST)
    levels = np.rint(np.nan_to_num(share) * (_LEVELS - 1)).astype(np.uint8)
    levels[~np.isfinite(apart)] = _LEVELS
    image = Image.fromarray(levels)
    image.putpalette(_palette())
    return image


def to_png(image: Image.Image) -> bytes:
    """Encode an image as the bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def with_legend(image: Image.Image) -> Image.Image:
    """Enlarge a small heat map, and draw the scale under it."""
    times = -(-256 // image.width)
    large = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    whole = Image.new("RGB", (large.width, large.height + _LEGEND), "white")
    whole.paste(large, (0, 0))
    bar = np.linspace(0, _LEVELS - 1, large.width).round().astype(np.uint8)
    strip = Image.fromarray(np.repeat(bar[None], _LEGEND // 3, axis=0))
    strip.putpalette(_palette())
    whole.paste(strip, (0, large.height + 2))
    _write_ticks(whole)
    return whole


def _write_ticks(whole: Image.Image) -> None:
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(10)
    for tick in TICKS[::2]:  # a small picture has no room for all of them
        anchor = {_LEAST: "ls", _MOST: "rs"}.get(tick, "ms")
        at = place(tick) * (whole.width - 1), whole.height - 6
        draw.text(at, f"{tick:g}", fill="black", font=font, anchor=anchor)


def _palette() -> list[int]:
    places = np.linspace(0, len(SCALE) - 1, _LEVELS)
    channels = [
        np.interp(places, range(len(SCALE)), channel) for channel in zip(*SCALE, strict=True)
    ]
    colours = np.stack(channels, axis=-1).round().astype(int)
    return [*colours.flatten().tolist(), *NOT_FINITE]
