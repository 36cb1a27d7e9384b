"""Parity inputs: named regimes that are generated deterministically.

Noise alone hides 38 dB of fp16 loss, sharp photographs hide what int8 does to blurred and dark
ones, and a constant proves nothing but that no NaN comes out: so a model is tested on every kind of
picture that is known to break one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from itertools import chain, count, cycle
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from sttk.toolkit.core.shapes import Shapes, Size, text
from sttk.toolkit.imaging import degradations
from sttk.toolkit.imaging.degradations import Degradation
from sttk.toolkit.imaging.images import Bytes, Floats, list_images, read_image, to_batch

CONSTANT = "constant"
_SEED = 2016
_BATCH = 4
_SQUARE = (256, 256)

Planned = tuple[str, str, Callable[[], Floats]]  # regime, name, and how to make the batch

# Sizes for models that take any size; each of them has failed on some model. Tiny leaves eight
# values a side at the lowest resolution of a Johnson net.
_ODD, _TINY, _TALL, _WIDE, _SMALL = (131, 203), (32, 32), (320, 64), (64, 320), (96, 128)

_DEGRADATIONS: dict[str, Degradation] = {
    "blur": degradations.blurred,
    "dark": degradations.dark,
    "bright": degradations.bright,
    "low-contrast": degradations.of_low_contrast,
    "saturated": degradations.saturated,
}


@dataclass(frozen=True)
class Sample:
    """A parity input.

    Attributes:
        name: the name used in reports.
        batch: (B, 3, H, W) float32, whole numbers of 0..255, RGB.
        regime: the kind of input, one of :data:`NAMES`.
    """

    name: str
    batch: Floats
    regime: str = "photo"


def shipped_photos() -> list[Path]:
    """Return the photographs in the package (their sources: sttk/toolkit/photos/SOURCES.md)."""
    return list_images(Path(str(resources.files("sttk.toolkit"))) / "photos")


def photographs(files: Sequence[Path], size: Size) -> Iterator[Floats]:
    """Yield each picture cropped and scaled to ``size``: (1, 3, H, W) in 0..255."""
    for file in files:
        yield to_batch(_fill(file, size))


def _fill(file: Path, size: Size) -> Bytes:
    photo = Image.fromarray(read_image(file).rgb)
    return np.array(ImageOps.fit(photo, (size[1], size[0]), Image.Resampling.BICUBIC))


def _unique_names(files: Sequence[Path]) -> Iterator[str]:
    """Yield unique names from the stems; the second ``cat`` is ``cat-2``.

    Reports and heat maps identify samples by name.
    """
    used: set[str] = set()
    for file in files:
        numbered = (f"{file.stem}-{number}" for number in count(2))
        name = next(name for name in chain([file.stem], numbered) if name not in used)
        used.add(name)
        yield name


def _degraded(degrade: Degradation, file: Path, size: Size) -> Floats:
    return to_batch(degrade(_fill(file, size)))


def _drawn(draw: Callable[[Size], Floats], size: Size) -> Floats:
    return to_batch(draw(size))


def _ramp(size: Size) -> Floats:
    """Return a gradient: red from left to right, green downwards, blue along the diagonal."""
    down, right = np.meshgrid(*(np.linspace(0, 255, side) for side in size), indexing="ij")
    return np.rint(np.stack([right, down, (right + down) / 2], axis=-1)).astype(np.float32)


def _edges(size: Size) -> Floats:
    """Return chessboards of black, white and pure colours with squares of 32, 16, 8 and 4 px."""
    down, right = np.mgrid[0 : size[0], 0 : size[1]]
    side = np.array([32, 16, 8, 4])[(right * 4) // size[1]]
    board = down // side + right // side
    on = np.stack([board % 2, board // 2 % 2, (board + down // side) % 2], axis=-1)
    return on.astype(np.float32) * 255


def _noise(size: Size) -> Floats:
    drawn = np.random.default_rng(_SEED).integers(0, 256, (*size, 3))
    return drawn.astype(np.float32)


def _constant(size: Size) -> Floats:
    return np.full((*size, 3), 255, np.float32)


_DRAWN: dict[str, Callable[[Size], Floats]] = {
    "ramp": _ramp,
    "edges": _edges,
    "noise": _noise,
    CONSTANT: _constant,
}
# The regimes that vary the size; all others use the model's default size.
_SIZED: dict[str, Size] = {"odd": _ODD, "tiny": _TINY, "tall": _TALL, "wide": _WIDE}
NAMES = ("photo", *_DEGRADATIONS, *_DRAWN, *_SIZED, "size", "batch")


@dataclass(frozen=True)
class Regimes:
    """The parity inputs for a model.

    At the model's default size: every photograph, one photograph in each degradation, and the
    generated pictures. At each other size that the model promises (or, if it takes any size, at
    odd, tiny, tall and wide ones): a photograph. If the model takes any batch size, also a batch of
    several photographs.

    Attributes:
        files: the photographs.
        takes: the shapes that the model takes; for a fixed batch size, each input is repeated that
            often.
        sizes: sizes to use in place of those that the model promises; the first is the default.
        names: the regimes to include; by default all of :data:`NAMES`.
        smallest: the smallest side that the net takes; the sizes of a model that takes any size are
            enlarged to it.
    """

    files: Sequence[Path]
    takes: Shapes
    sizes: tuple[Size, ...] = ()
    names: tuple[str, ...] = NAMES
    smallest: int = 1

    def __len__(self) -> int:
        return sum(1 for _ in self._plan())

    def __iter__(self) -> Iterator[Sample]:
        for regime, name, make in self._plan():
            yield Sample(name, np.repeat(make(), self.takes.batch or 1, axis=0), regime)

    @property
    def every_size(self) -> tuple[Size, ...]:
        """The sizes that are used, the default first."""
        first, *others = self.sizes or self.takes.promised or (_SQUARE,)
        if self._of_any_size:
            others = [size for name, size in self._sized.items() if name in self.names]
        return (first, *others)

    @property
    def _sized(self) -> dict[str, Size]:
        least = self.smallest
        return {name: (max(h, least), max(w, least)) for name, (h, w) in _SIZED.items()}

    @property
    def _of_any_size(self) -> bool:
        return not self.sizes and self.takes.kind == "any"

    def _plan(self) -> Iterator[Planned]:
        """Yield the samples unrendered: each picture is made only when it is needed."""
        everything = (*self._at_default(), *self._at_others(), *self._in_batches())
        return (planned for planned in everything if planned[0] in self.names)

    def _at_default(self) -> Iterator[Planned]:
        size = self.every_size[0]
        for name, file in zip(_unique_names(self.files), self.files, strict=True):
            yield (
                "photo",
                f"{name} {text(size)}",
                partial(_degraded, degradations.intact, file, size),
            )
        for (regime, degrade), file in zip(_DEGRADATIONS.items(), cycle(self.files), strict=False):
            yield regime, f"{regime} {text(size)}", partial(_degraded, degrade, file, size)
        for regime, draw in _DRAWN.items():
            yield regime, f"{regime} {text(size)}", partial(_drawn, draw, size)

    def _at_others(self) -> Iterator[Planned]:
        named = list(self._sized.items())
        if not self._of_any_size:
            named = [("size", size) for size in self.every_size[1:]]
        for regime, size in named:
            make = partial(_degraded, degradations.intact, self.files[0], size)
            yield regime, f"{regime} {text(size)}", make

    def _in_batches(self) -> Iterator[Planned]:
        if self._of_any_size and self.takes.batch is None:
            yield "batch", f"batch of {_BATCH} {text(_SMALL)}", self._several

    def _several(self) -> Floats:
        few = [file for file, _ in zip(cycle(self.files), range(_BATCH), strict=False)]
        return np.concatenate(list(photographs(few, _SMALL)))
