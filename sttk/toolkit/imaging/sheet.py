"""Contact sheets: grids of pictures with column headings and row labels."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from itertools import accumulate

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sttk.toolkit.core.errors import ImageError
from sttk.toolkit.imaging.images import Bytes

_PAPER, _INK = (255, 255, 255), (32, 32, 32)
_GAP = 4
# Font size: a share of the narrowest column, but at least so many pixels to be legible.
_LETTERS, _LEAST_LETTERS = 1 / 14, 9
_QUALITIES = range(95, 45, -5)


def sheet(
    rows: Sequence[Sequence[Bytes]], columns: Sequence[str], labels: Sequence[str] = ()
) -> Bytes:
    """Return one picture that shows many in a grid.

    Args:
        rows: rows of (H, W, 3) uint8 pictures, one per column. The pictures may differ in size: a
            row is as high as its highest, a column as wide as its widest, and each picture is
            centred in its cell.
        columns: the heading of each column; a column is at least as wide as its heading.
        labels: the label to the left of each row; empty for no labels.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: there is no picture, or the rows do not fit the columns or the labels.
    """
    _check(rows, columns, labels)
    font = _font(min(picture.shape[1] for row in rows for picture in row))
    wide = [max(picture.shape[1] for picture in column) for column in zip(*rows, strict=True)]
    widths = [max(_length(font, name), width) for name, width in zip(columns, wide, strict=True)]
    heights = [max(picture.shape[0] for picture in row) for row in rows]
    lefts = _starts(max((_length(font, label) for label in labels), default=0), widths)
    tops = _starts(int(2 * font.size), heights)
    page = Image.new("RGB", (lefts[-1], tops[-1]), _PAPER)
    draw = ImageDraw.Draw(page)
    for name, left, width in zip(columns, lefts, widths, strict=False):
        draw.text((left + width / 2, font.size), name, _INK, font, anchor="mm")
    for label, top, height in zip(labels, tops, heights, strict=False):
        draw.text((lefts[0] - 2 * _GAP, top + height / 2), label, _INK, font, anchor="rm")
    for row, top, height in zip(rows, tops, heights, strict=False):
        for picture, left, width in zip(row, lefts, widths, strict=False):
            down, right = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
            page.paste(Image.fromarray(picture), (left + right, top + down))
    return np.array(page)


def grid(cells: Sequence[tuple[str, Bytes]], columns: int) -> Bytes:
    """Return one picture that shows many of the same size, each with its name above it.

    Args:
        cells: pairs of a name and an (H, W, 3) uint8 picture.
        columns: the number of pictures in a row; the last row may be shorter.

    Returns:
        (H, W, 3) uint8.
    """
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    parts = [sheet([[rgb for _, rgb in row]], [name for name, _ in row]) for row in rows]
    width = max(part.shape[1] for part in parts)
    paper = _PAPER[0]  # white, the background of the sheets
    padded = [
        np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0)), constant_values=paper)
        for part in parts
    ]
    return np.concatenate(padded)


def to_jpeg(page: Bytes, most: int) -> bytes:
    """Return a sheet as a JPEG file of at most ``most`` bytes, in the best quality that fits.

    Raises:
        ImageError: the file is too large even at the lowest quality without visible artefacts.
    """
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        Image.fromarray(page).save(buffer, format="JPEG", quality=quality, optimize=True)
        if buffer.tell() <= most:
            return buffer.getvalue()
    raise ImageError(f"no JPEG of {page.shape[1]}x{page.shape[0]} in {most:,} bytes")


def _check(rows: Sequence[Sequence[Bytes]], columns: Sequence[str], labels: Sequence[str]) -> None:
    if not rows or not columns:
        raise ValueError("a sheet of no pictures")
    if any(len(row) != len(columns) for row in rows):
        raise ValueError(f"{len(columns)} columns, rows of {[len(row) for row in rows]}")
    if labels and len(labels) != len(rows):
        raise ValueError(f"{len(labels)} labels, {len(rows)} rows")


def _font(width: int) -> ImageFont.FreeTypeFont:
    """Return the font that is bundled with Pillow's wheels."""
    font = ImageFont.load_default(max(_LEAST_LETTERS, width * _LETTERS))
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("this Pillow is built without FreeType")
    return font


def _length(font: ImageFont.FreeTypeFont, text: str) -> int:
    """Return the width of a text in pixels, with padding on both sides."""
    return round(font.getlength(text)) + 4 * _GAP


def _starts(first: int, sides: Iterable[int]) -> list[int]:
    """Return the offset of each cell, then that of the sheet's end."""
    return list(accumulate((side + _GAP for side in sides), initial=first))
