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
_LOWEST, _HIGHEST = TICKS[0], TICKS[-1]
_DECADES = math.log10(_HIGHEST / _LOWEST)
# matplotlib's "inferno" (CC0) at nine places: perceptually uniform, also for the colour-blind.
SCALE = (
    (0, 0, 4), (31, 12, 72), (85, 15, 109), (136, 34, 106), (186, 54, 85),
    (227, 89, 51), (249, 140, 10), (249, 201, 50), (252, 255, 164),
)  # fmt: skip
NOT_FINITE = (0, 255, 255)  # a colour outside the scale
_LEVELS = 63  # a quarter of a byte's levels: rounding is noise, which PNG cannot compress
_LEGEND = 32  # pixels of height


def distance(output: Array, reference: Array) -> Array:
    """Return each pixel's largest error over the channels, (B, H, W), of batches (B, 3, H, W)."""
    error: Array = np.abs(output.astype(np.float64) - reference).max(axis=1)
    return error


def position(error: float) -> float:
    """Return an error's position on the scale, in 0..1."""
    return min(max(math.log10(max(error, _LOWEST) / _LOWEST) / _DECADES, 0.0), 1.0)


def pooled(errors: Array, longest: int) -> Array:
    """Max-pool an error map (H, W) until no side is longer than ``longest`` pixels.

    The maximum keeps single bad pixels, which a mean would hide. NaN and infinity stay.
    """
    block = -(-max(errors.shape) // longest)
    height, width = (-(-side // block) * block for side in errors.shape)
    padding = [(0, height - errors.shape[0]), (0, width - errors.shape[1])]
    padded = np.pad(errors, padding, mode="edge")
    blocks = padded.reshape(height // block, block, width // block, block)
    largest: Array = blocks.max(axis=(1, 3))
    return largest


def to_image(errors: Array) -> Image.Image:
    """Draw the heat map of errors (H, W), one pixel each."""
    with np.errstate(invalid="ignore"):
        share = np.log10(np.clip(errors, _LOWEST, _HIGHEST) / _LOWEST) / _DECADES
    levels = np.rint(np.nan_to_num(share) * (_LEVELS - 1)).astype(np.uint8)
    levels[~np.isfinite(errors)] = _LEVELS
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
    factor = -(-256 // image.width)
    large = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    canvas = Image.new("RGB", (large.width, large.height + _LEGEND), "white")
    canvas.paste(large, (0, 0))
    bar = np.linspace(0, _LEVELS - 1, large.width).round().astype(np.uint8)
    strip = Image.fromarray(np.repeat(bar[None], _LEGEND // 3, axis=0))
    strip.putpalette(_palette())
    canvas.paste(strip, (0, large.height + 2))
    _write_ticks(canvas)
    return canvas


def _write_ticks(canvas: Image.Image) -> None:
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(10)
    for tick in TICKS[::2]:  # a small picture has no room for all of them
        anchor = {_LOWEST: "ls", _HIGHEST: "rs"}.get(tick, "ms")
        at = position(tick) * (canvas.width - 1), canvas.height - 6
        draw.text(at, f"{tick:g}", fill="black", font=font, anchor=anchor)


def _palette() -> list[int]:
    places = np.linspace(0, len(SCALE) - 1, _LEVELS)
    channels = [
        np.interp(places, range(len(SCALE)), channel) for channel in zip(*SCALE, strict=True)
    ]
    colours = np.stack(channels, axis=-1).round().astype(int)
    return [*colours.flatten().tolist(), *NOT_FINITE]
