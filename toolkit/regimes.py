"""Parity inputs: named and made the same way every time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from toolkit.contract import Size
from toolkit.images import Floats, list_images, read_image, to_batch

_BATCH = 4


@dataclass(frozen=True)
class Sample:
    """One input: ``name`` for reports, ``batch`` (B, 3, H, W) float32 in 0..255 RGB."""

    name: str
    batch: Floats


def shipped_photos() -> list[Path]:
    """The photographs that the package carries (toolkit/photos/SOURCES.md says whose)."""
    return list_images(Path(str(resources.files("toolkit"))) / "photos")


def photos(files: Sequence[Path], sizes: Sequence[Size]) -> Iterator[Sample]:
    """Each photograph at each size, cut to fill it; and where there are several sizes, the first
    few as one batch (a model of one size is of one picture).

    Args:
        files: pictures.
        sizes: (height, width) in pixels.
    """
    for height, width in sizes:
        for file in files:
            yield Sample(f"{file.stem} {height}x{width}", _fill(file, (height, width)))
    if len(sizes) > 1:
        batch = np.concatenate([_fill(file, sizes[0]) for file in files[:_BATCH]])
        yield Sample(f"batch of {len(batch)} {sizes[0][0]}x{sizes[0][1]}", batch)


def _fill(file: Path, size: Size) -> Floats:
    photo = Image.fromarray(read_image(file).rgb)
    return to_batch(np.array(ImageOps.fit(photo, (size[1], size[0]), Image.Resampling.BICUBIC)))
