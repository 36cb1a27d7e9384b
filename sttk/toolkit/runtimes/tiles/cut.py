"""Cutting a picture into tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.core.shapes import Size

# Tiles begin at multiples of this, so that strides of up to 16 sample the same pixels as in the
# whole picture.
STEP = 16


@dataclass(frozen=True)
class Side:
    """The extent of a tile along one axis, in pixels.

    Attributes:
        begin: the start of the tile.
        end: the end of the tile, exclusive.
        first: the start of the tile with its halo.
        last: the end of the tile with its halo, exclusive.
        length: the length of the picture.
    """

    begin: int
    end: int
    first: int
    last: int
    length: int

    def within(self, features: int) -> slice:
        """Return where the tile lies within the features of the tile with its halo.

        Args:
            features: the length of the features of ``first`` to ``last``.

        Raises:
            UsageError: the features are not the tile downscaled by a whole factor.
        """
        pixels = self.last - self.first
        factor = round(pixels / features)
        # At the picture's end, a net that halves an odd side and doubles it again returns more.
        most = -(-pixels // STEP) * STEP
        if factor < 1 or STEP % factor or not pixels <= features * factor <= most:
            raise UsageError("this net cannot be run in tiles: its layers cut or widen the picture")
        ends_here = self.end == self.length
        begin = (self.begin - self.first) // factor
        return slice(begin, None if ends_here else (self.end - self.first) // factor)


@dataclass(frozen=True)
class Tile:
    """A rectangular part of a picture."""

    rows: Side
    columns: Side

    def within(self, height: int, width: int) -> tuple[slice, slice]:
        """Return where the tile lies in the (..., height, width) features of it and its halo."""
        return self.rows.within(height), self.columns.within(width)


def cut(size: Size, side: int, halo: int) -> Iterator[Tile]:
    """Yield tiles of at most ``side`` pixels, with a halo of ``halo`` pixels inside the picture.

    Both are rounded up to multiples of ``STEP``.
    """
    side, halo = (-(-value // STEP) * STEP for value in (side, halo))
    for rows in _sides(size[0], side, halo):
        for columns in _sides(size[1], side, halo):
            yield Tile(rows, columns)


def _sides(length: int, side: int, halo: int) -> Iterator[Side]:
    for begin in range(0, length, side):
        end = min(begin + side, length)
        yield Side(begin, end, max(0, begin - halo), min(length, end + halo), length)
