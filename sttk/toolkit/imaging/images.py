"""Picture I/O: everything that is read becomes upright 8-bit RGB of a bounded size."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from sttk.toolkit.core.errors import ImageError
from sttk.toolkit.host.memory import check_fits
from sttk.toolkit.io.files import DISK_ERRORS, write_atomic
from sttk.toolkit.io.streams import quiet_stderr

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm"})
_WITH_ALPHA = frozenset({".png", ".webp", ".tif", ".tiff"})
# Pillow also logs what it raises; without a handler, Python's last resort would print it.
logging.getLogger("PIL").addHandler(logging.NullHandler())
# An allow-list, so that none of Pillow's other decoders sees an untrusted file.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
# Pillow's own bound against decompression bombs; 540 MB as 8-bit RGB.
MAX_PIXELS = 178_956_970
# Peak bytes a pixel while decoding, rotating and converting: 4 + 4 + 4 + 3, rounded up.
_DECODED = 16
_STRIP = 1 << 20  # pixels


@dataclass(frozen=True)
class Picture:
    """A decoded picture with an optional alpha channel.

    Attributes:
        rgb: (H, W, 3) uint8, upright.
        alpha: (H, W) uint8, or None if the picture is opaque.
    """

    rgb: Bytes
    alpha: Bytes | None = None


def list_images(folder: Path) -> list[Path]:
    """Return the files below ``folder`` that have a picture suffix, sorted.

    Raises:
        ImageError: ``folder`` is not a directory.
    """
    if not folder.is_dir():
        raise ImageError(f"{folder}: no such folder")
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def read_image(path: Path) -> Picture:
    """Read a picture of any mode: grey, palette, CMYK, 16 bits, with alpha, EXIF-rotated.

    Raises:
        ImageError: the file is missing, not a picture, truncated, or larger than ``MAX_PIXELS``
            pixels.
    """
    if path.exists() and not path.is_file():
        raise ImageError(f"{path}: not a file")  # reading a pipe may never end
    try:
        with path.open("rb") as stream:
            return decode_image(stream, str(path))
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise ImageError(f"{path}: not a readable picture: {_brief(error)}") from error


def picture_size(path: Path) -> tuple[int, int]:
    """Return the width and height that a picture's header states, without decoding it.

    Raises:
        ImageError: the file is not a picture, or is larger than ``MAX_PIXELS`` pixels.
    """
    if path.exists() and not path.is_file():
        raise ImageError(f"{path}: not a file")  # reading a pipe may never end
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.init()
            with path.open("rb") as stream, Image.open(stream, formats=_FORMATS) as image:
                _check_size(str(path), image)
                return int(image.width), int(image.height)
    except (ImageError, MemoryError):
        raise
    # Decoders raise all kinds of exceptions for broken files.
    except Exception as error:
        raise ImageError(f"{path}: not a readable picture: {_brief(error)}") from error


def decode_image(stream: BinaryIO, name: str) -> Picture:
    """Read a picture from an open file that can seek; see :func:`read_image`.

    Args:
        stream: the open file, positioned at the start of the picture.
        name: the name to use in error messages.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns about large pictures and odd metadata; the bound here is our own.
            warnings.simplefilter("ignore")
            Image.init()  # otherwise Pillow registers only the most common decoders
            with Image.open(stream, formats=_FORMATS) as image, _quiet(image):
                _check_size(name, image)
                return _decode(image)
    except (ImageError, MemoryError):
        raise
    # Decoders raise all kinds of exceptions for broken files.
    except Exception as error:
        raise ImageError(f"{name}: not a readable picture: {_brief(error)}") from error


def _quiet(image: Image.Image) -> contextlib.AbstractContextManager[None]:
    """Silence stderr for TIFF: libtiff is the only decoder that prints its errors there."""
    return quiet_stderr() if image.format == "TIFF" else contextlib.nullcontext()


def from_pillow(image: Image.Image) -> Picture:
    """Convert a Pillow image of any mode, applying its EXIF rotation and colour profile.

    Raises:
        ImageError: its file is broken, or it has no pixels or more than ``MAX_PIXELS``.
    """
    _check_size("image", image)
    try:
        return _decode(image.copy())  # a copy: the rotation is in place
    # Pillow decodes a file lazily, when its pixels are accessed.
    except Exception as error:
        raise ImageError(f"image: cannot be read: {_brief(error)}") from error


def _check_size(name: str, image: Image.Image) -> None:
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise ImageError(
            f"{name}: {image.width}x{image.height} is more than {MAX_PIXELS:,} pixels",
            fix="scale it down first",
        )
    check_fits(image.height, image.width, _DECODED, fix="scale it down first")


def _decode(upright: Image.Image) -> Picture:
    """Decode with as few copies as possible: a picture may take half a gigabyte."""
    ImageOps.exif_transpose(upright, in_place=True)
    if upright.mode.startswith(("I", "F")):
        upright = _to_8_bits(upright)
    if upright.has_transparency_data:
        rgba = np.asarray(_to_srgb(upright, "RGBA"))
        rgb, alpha = np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])
        return Picture(rgb, alpha if alpha.min(initial=255) < 255 else None)
    return Picture(np.array(_to_srgb(upright, "RGB")))


def _to_srgb(image: Image.Image, mode: str) -> Image.Image:
    """Convert to ``mode``, RGB or RGBA, and from the embedded colour profile to sRGB.

    Wide-gamut phone pictures look dull if their profile is dropped. A profile that cannot be
    applied is an error, not a guess; the profiles of grey pictures are ignored.
    """
    profile = image.info.get("icc_profile")
    if not profile or image.mode in ("1", "L", "LA"):
        return image if image.mode == mode else image.convert(mode)
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
    """Scale 16-bit grey and float pictures to 8 bits, which Pillow's own conversion would clip."""
    values = np.asarray(image)
    if image.mode.startswith("I"):
        scale, divisor = 1.0, 257.0  # 65535 -> 255
    else:
        scale, divisor = (255.0 if values.max(initial=0.0) <= 1.0 else 1.0), 1.0
    found = np.empty(values.shape, np.uint8)
    # In strips: as float64, a whole picture would take eight bytes a pixel several times over.
    rows = max(1, _STRIP // max(1, values.shape[1]))
    for start in range(0, len(values), rows):
        strip = values[start : start + rows].astype(np.float64)
        found[start : start + rows] = to_bytes(strip * scale / divisor)
    return Image.fromarray(found)


def to_bytes(values: NDArray[Any]) -> Bytes:
    """Clip to 0..255 and round to the nearest integer."""
    clipped: Bytes = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return clipped


def to_batch(rgb: Bytes | Floats) -> Floats:
    """Convert (H, W, 3) in 0..255 to (1, 3, H, W) float32 in 0..255."""
    return np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], dtype=np.float32)


def from_batch(batch: Floats) -> Bytes:
    """Convert (1, 3, H, W) float in 0..255 to (H, W, 3) uint8."""
    return to_bytes(batch[0].transpose(1, 2, 0))


def check_writable(path: Path) -> None:
    """Check that the path has a suffix that can be written.

    Raises:
        ImageError: the suffix is unknown.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ImageError(f"{path}: unknown picture suffix", fix="use .jpg, .png or .webp")


def write_image(path: Path, picture: Picture) -> None:
    """Write a picture atomically, in the format of the suffix of ``path``.

    Raises:
        ImageError: the suffix is unknown, its format cannot store the picture's alpha channel, or
            the path cannot be written to.
        OSError: the disk is full or fails.
    """
    check_writable(path)
    if picture.alpha is not None and path.suffix.lower() not in _WITH_ALPHA:
        raise ImageError(f"{path}: no opacity in this format", fix="use .png or .webp")
    try:
        write_atomic(path, encode_image(picture, path.suffix.lower()))
    except MemoryError:
        raise
    # Encoders raise all kinds of exceptions for sizes that their format cannot hold.
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise
        raise ImageError(f"{path}: cannot be written: {_brief(error)}") from error


def encode_image(picture: Picture, suffix: str) -> bytes:
    """Encode a picture in the format of a suffix such as ``.png``.

    The format must be able to store the picture's alpha channel, if it has one.
    """
    image = Image.fromarray(picture.rgb)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    format_name = Image.registered_extensions()[suffix]
    options = {"quality": 95, "subsampling": 0} if format_name == "JPEG" else {}
    buffer = io.BytesIO()
    image.save(buffer, format=format_name, **options)
    return buffer.getvalue()


def _brief(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "its content is of no known format"  # Pillow prints the stream's repr
    return " ".join(str(error).split())[:160] or type(error).__name__
