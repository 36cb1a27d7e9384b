"""Pictures in and out: whatever Pillow reads becomes 8-bit RGB, upright, and bounded in size."""

from __future__ import annotations

import errno
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from toolkit.errors import ImageError
from toolkit.files import write_atomic

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm"})
_WITH_ALPHA = frozenset({".png", ".webp", ".tif", ".tiff"})
# By name, so that no other of Pillow's many decoders sees an untrusted file.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
# Pillow's own bound against decompression bombs; 540 MB as 8-bit RGB.
MAX_PIXELS = 178_956_970
# A write failed for no fault of the name that the user gave.
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


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
            Image.init()  # else only the commonest decoders are there to be named
            with Image.open(path, formats=_FORMATS) as image:
                _check_size(path, image)
                return _decode(image)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file") from error
    except (ImageError, MemoryError):
        raise
    # Decoders raise what they like on broken files.
    except Exception as error:
        raise ImageError(f"{path}: not a readable picture: {_brief(error)}") from error


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
        rgba = np.asarray(_to_srgb(upright, "RGBA"))
        rgb, alpha = np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])
        return Picture(rgb, alpha if alpha.min(initial=255) < 255 else None)
    return Picture(np.array(_to_srgb(upright, "RGB")))


def _to_srgb(image: Image.Image, mode: str) -> Image.Image:
    """In ``mode``, RGB or RGBA, with its colours brought from the profile that the file carries.

    Wide-gamut phone pictures look dull if their profile is dropped. A profile that cannot be
    applied is an error, not a guess; grey pictures have no colours to bring.
    """
    profile = image.info.get("icc_profile")
    if not profile or image.mode in ("1", "L", "LA"):
        return image.convert(mode)
    source = image if image.mode == "CMYK" else image.convert("RGB")
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    srgb = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(source, opened, srgb, outputMode="RGB")
    if converted is None:
        raise ValueError("its colour profile cannot be applied")
    if mode == "RGBA":
        converted.putalpha(image.convert("RGBA").getchannel("A"))
    return converted


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


def to_batch(rgb: Bytes | Floats) -> Floats:
    """(H, W, 3) of 0..255 -> (1, 3, H, W) float32 in 0..255."""
    return np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], dtype=np.float32)


def from_batch(batch: Floats) -> Bytes:
    """(1, 3, H, W) float in 0..255 -> (H, W, 3) uint8."""
    return to_bytes(batch[0].transpose(1, 2, 0))


def check_writable(path: Path) -> None:
    """Whether a picture can be written under this name, as far as the suffix tells.

    Raises:
        ImageError: the suffix is unknown.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ImageError(f"{path}: unknown picture suffix", fix="use .jpg, .png or .webp")


def write_image(path: Path, picture: Picture) -> None:
    """Write by the suffix of ``path``, whole or not at all.

    Raises:
        ImageError: the suffix is unknown, its format has no opacity and the picture has, or the
            name cannot be written to.
        OSError: the disk is full or fails.
    """
    check_writable(path)
    image = Image.fromarray(picture.rgb)
    if picture.alpha is not None:
        if path.suffix.lower() not in _WITH_ALPHA:
            raise ImageError(f"{path}: no opacity in this format", fix="use .png or .webp")
        image.putalpha(Image.fromarray(picture.alpha))
    format_name = Image.registered_extensions()[path.suffix.lower()]
    options = {"quality": 95, "subsampling": 0} if format_name == "JPEG" else {}
    buffer = io.BytesIO()
    try:
        image.save(buffer, format=format_name, **options)
        write_atomic(path, buffer.getvalue())
    except MemoryError:
        raise
    # Encoders raise what they like on sides that their format cannot hold.
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _DISK:
            raise
        raise ImageError(f"{path}: cannot be written: {_brief(error)}") from error


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
