"""How a picture is cut into tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.core.shapes import Size

# Tiles begin at multiples of it, so that strides of up to 16 fall on the pixels that they fall on
# in the whole picture.
STEP = 16


@dataclass(frozen=True)
class Side:
    """A tile along one axis, in pixels: ``begin`` to ``end`` of a picture's ``length``, run with
    its surroundings from ``first`` to ``last``.
    """

    begin: int
    end: int
    first: int
    last: int
    length: int

    def within(self, features: int) -> slice:
        """Where ``begin`` to ``end`` lie in features of ``first`` to ``last``.

        Raises:
            UsageError: they are no picture of it at a whole scale.
        """
        pixels = self.last - self.first
        factor = round(pixels / features)
        # At a picture's end, a net that has halved an odd side and doubled it again has more.
        most = -(-pixels // STEP) * STEP
        if factor < 1 or STEP % factor or not pixels <= features * factor <= most:
            raise UsageError("this net cannot be run in tiles: its layers cut or widen the picture")
        ends_here = self.end == self.length
        begin = (self.begin - self.first) // factor
        return slice(begin, None if ends_here else (self.end - self.first) // factor)


@dataclass(frozen=True)
class Tile:
    """A part of a picture."""

    rows: Side
    columns: Side

    def within(self, height: int, width: int) -> tuple[slice, slice]:
        """Where the tile lies in (..., height, width) features of it and its surroundings."""
        return self.rows.within(height), self.columns.within(width)


def cut(size: Size, side: int, halo: int) -> Iterator[Tile]:
    """Tiles of at most ``side`` pixels, with ``halo`` pixels of surroundings where there are any.

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
