"""Pictures in and out: whatever Pillow reads becomes 8-bit RGB, upright, and bounded in size."""

from __future__ import annotations

import os
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from toolkit.errors import ImageError

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm"})
# 200 megapixels: over twice the largest phone sensor, and 600 MB as 8-bit RGB.
MAX_PIXELS = 200_000_000


@dataclass(frozen=True)
class Picture:
    """A decoded picture: colours and, where the file had it, opacity.

    Attributes:
        rgb: (H, W, 3) uint8, upright.
        alpha: (H, W) uint8, or None for an opaque picture.
    """

    rgb: Bytes
    alpha: Bytes | None = None


def list_images(folder: Path) -> list[Path]:
    """Files below ``folder`` that look like pictures by their suffix, sorted."""
    if not folder.is_dir():
        raise ImageError(f"{folder}: no such folder")
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def read_image(path: Path) -> Picture:
    """Read a picture of any mode: grey, palette, CMYK, 16 bits, with alpha, EXIF-rotated.

    Raises:
        ImageError: not a picture, truncated, or of more than ``MAX_PIXELS`` pixels.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns about large pictures and odd metadata; the bound here is our own.
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                _check_size(path, image)
                return _decode(image)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"{path}: not a readable picture: {error}") from error


def _check_size(path: Path, image: Image.Image) -> None:
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise ImageError(
            f"{path}: {image.width}x{image.height} is more than {MAX_PIXELS:,} pixels",
            fix="scale it down first",
        )


def _decode(image: Image.Image) -> Picture:
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith(("I", "F")):
        upright = _to_8_bits(upright)
    if upright.has_transparency_data:
        rgba = np.asarray(upright.convert("RGBA"))
        return Picture(np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3]))
    return Picture(np.array(upright.convert("RGB")))


def _to_8_bits(image: Image.Image) -> Image.Image:
    """16-bit grey and float pictures: Pillow's own conversion clips where it should scale."""
    values = np.asarray(image, dtype=np.float64)
    if image.mode.startswith("I"):
        values = values / 257.0  # 65535 -> 255
    elif values.max(initial=0.0) <= 1.0:
        values = values * 255.0
    return Image.fromarray(to_bytes(values))


def to_bytes(values: NDArray[Any]) -> Bytes:
    """Round to the nearest of 0..255."""
    clipped: Bytes = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return clipped


def to_batch(rgb: Bytes) -> Floats:
    """(H, W, 3) uint8 -> (1, 3, H, W) float32 in 0..255."""
    return np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], dtype=np.float32)


def from_batch(batch: Floats) -> Bytes:
    """(1, 3, H, W) float in 0..255 -> (H, W, 3) uint8."""
    return to_bytes(batch[0].transpose(1, 2, 0))


def write_image(path: Path, picture: Picture) -> None:
    """Write by the suffix of ``path``; beside it first, then renamed, so never half.

    Raises:
        ImageError: the suffix is unknown or the file cannot be written.
    """
    image = Image.fromarray(picture.rgb)
    if picture.alpha is not None and path.suffix.lower() in {".png", ".webp", ".tif", ".tiff"}:
        image.putalpha(Image.fromarray(picture.alpha))
    format_name = Image.registered_extensions().get(path.suffix.lower())
    if format_name is None:
        raise ImageError(f"{path}: unknown picture suffix", fix="use .jpg, .png or .webp")
    options = {"quality": 95, "subsampling": 0} if format_name == "JPEG" else {}
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=path.suffix)
        with os.fdopen(handle, "wb") as file:
            image.save(file, format=format_name, **options)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise ImageError(f"{path}: cannot be written: {error}") from error
