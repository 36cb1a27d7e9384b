"""The pictures of the training folders: those that can be used, and why the others cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sttk.toolkit.core.errors import ImageError, TrainingError
from sttk.toolkit.imaging.images import Bytes, list_images, picture_size, read_image

# A long strip, scaled by its short side, would become huge.
_MAX_ASPECT = 8
# A picture that is enlarged more than this has nothing of a photograph's detail left.
_MOST_ENLARGED = 4
# The range of grey levels that rounding to 8 bits alone makes of one colour.
_FLAT = 1
# Decoding a photograph takes a tenth of a second, and folders have up to a hundred thousand.
_TRIED = 64
# With fewer, drawing a hundred in a row that cannot be used becomes likely in a long run.
_LEAST_USABLE = 1 / 4


@dataclass(frozen=True)
class Photos:
    """The pictures of some folders that can be used, and the reasons why others cannot.

    Attributes:
        files: the pictures to draw from.
        skipped: a line for each picture that is left out; it begins with the file.
    """

    files: tuple[Path, ...]
    skipped: tuple[str, ...]

    @classmethod
    def scan(cls, folders: list[Path], size: int = 0) -> Photos:
        """Check the header of every picture below ``folders``, and decode some of them.

        All pictures of a small folder are decoded, and a sample of a large one. What turns out to
        be unusable later is passed over where it is drawn.

        Args:
            folders: the folders of photographs.
            size: the side of the crops in pixels; pictures that are far smaller are left out.

        Raises:
            TrainingError: none of the pictures, or too few of the sample, can be used.
        """
        files = [file for folder in folders for file in list_images(folder)]
        where = ", ".join(map(str, folders))
        if not files:
            raise TrainingError(f"no picture in {where}", fix="pass --content DIR")
        reasons = {file: reason for file in files if (reason := _reason(file, size, _check_header))}
        readable = [file for file in files if file not in reasons]
        sample = _sample(readable)
        broken = {file: reason for file in sample if (reason := _reason(file, size, usable))}
        reasons |= broken
        if len(reasons) == len(files):
            raise _too_few(f"none of the {len(files)} pictures in {where}", reasons)
        left = len(sample) - len(broken)
        if len(sample) < len(readable) and left < _LEAST_USABLE * len(sample):
            raise _too_few(f"only {left} of {len(sample)} pictures tried in {where}", broken)
        left_in = tuple(file for file in readable if file not in reasons)
        return cls(left_in, tuple(reasons[file] for file in files if file in reasons))


def usable(file: Path, size: int) -> Image.Image:
    """Return a picture to crop, upright RGB, whatever its mode.

    Raises:
        ImageError: it cannot be read, has one colour throughout, or its shape does not suit crops
            of ``size`` pixels.
    """
    photo = Image.fromarray(read_image(file).rgb)
    _check_shape(file, *photo.size, size)
    if is_flat(np.asarray(photo)):
        raise ImageError(f"{file}: it has one colour throughout")
    return photo


def is_flat(rgb: Bytes) -> bool:
    """Return whether (H, W, 3) has one colour, up to rounding, such as a clipped sky.

    It would teach nothing: a net with instance norms sees only rounding errors of it. And it would
    harm: each norm multiplies gradients by 1 / sqrt(eps), about 316, where all values are equal, so
    that those of the first layers overflow.
    """
    extent = rgb.max(axis=(0, 1)).astype(int) - rgb.min(axis=(0, 1))
    return bool(extent.max() <= _FLAT)


def _check_shape(file: Path, width: int, height: int, size: int) -> None:
    short, long = sorted((width, height))
    if long > _MAX_ASPECT * short:
        raise ImageError(f"{file}: {width}x{height} is too narrow to crop")
    if short * _MOST_ENLARGED < size:
        raise ImageError(f"{file}: {width}x{height} is too small for crops of {size} pixels")


def _check_header(file: Path, size: int) -> None:
    _check_shape(file, *picture_size(file), size)


def _reason(file: Path, size: int, check: Callable[[Path, int], object]) -> str:
    """Return why a picture cannot be used, as far as ``check`` says; empty if it can."""
    try:
        check(file, size)
    except ImageError as error:
        return str(error)
    return ""


def _sample(files: list[Path]) -> list[Path]:
    """Return up to ``_TRIED`` of the files, evenly spaced, the same ones each time."""
    count = min(_TRIED, len(files))
    return [files[number * len(files) // count] for number in range(count)]


def _too_few(what: str, reasons: dict[Path, str]) -> TrainingError:
    first = next(iter(reasons.values()))
    return TrainingError(f"{what} can be used, such as: {first}", fix="pass --content DIR")
