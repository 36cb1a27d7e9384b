"""Parity inputs: named and made the same way every time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from toolkit.images import Floats, list_images, read_image, to_batch
from toolkit.shapes import Size

_BATCH = 4


@dataclass(frozen=True)
class Sample:
    """One input: ``name`` for reports, ``batch`` (B, 3, H, W) float32 in 0..255 RGB."""

    name: str
    batch: Floats


def shipped_photos() -> list[Path]:
    """The photographs that the package carries (toolkit/photos/SOURCES.md says whose)."""
    return list_images(Path(str(resources.files("toolkit"))) / "photos")


@dataclass(frozen=True)
class Photographs:
    """Each photograph at each size, cut to fill it.

    Where any batch is taken and there are several sizes, the first few photographs come as one
    batch, too; where one batch alone is taken, each photograph comes as often as that.

    Attributes:
        files: pictures.
        sizes: (height, width) in pixels.
        batch: pictures at once that the model takes, or None for any number.
    """

    files: Sequence[Path]
    sizes: Sequence[Size]
    batch: int | None = None

    def __len__(self) -> int:
        return len(self.files) * len(self.sizes) + self._has_batch

    def __iter__(self) -> Iterator[Sample]:
        for size in self.sizes:
            for file in self.files:
                batch = np.repeat(_fill(file, size), self.batch or 1, axis=0)
                yield Sample(f"{file.stem} {_text(size)}", batch)
        if self._has_batch:
            batch = np.concatenate([_fill(file, self.sizes[0]) for file in self.files[:_BATCH]])
            yield Sample(f"batch of {len(batch)} {_text(self.sizes[0])}", batch)

    @property
    def _has_batch(self) -> bool:
        return self.batch is None and len(self.sizes) > 1


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def _fill(file: Path, size: Size) -> Floats:
    photo = Image.fromarray(read_image(file).rgb)
    return to_batch(np.array(ImageOps.fit(photo, (size[1], size[0]), Image.Resampling.BICUBIC)))
