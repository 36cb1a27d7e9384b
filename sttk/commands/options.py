"""Option types and options that several commands share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sttk.toolkit.core.shapes import LARGEST_SIDE, Size

_SCREENS = {"720p": (720, 1280), "1080p": (1080, 1920), "4k": (2160, 3840)}


if TYPE_CHECKING:
    _SizeParam = click.ParamType[Size]
    _SizesParam = click.ParamType[tuple[Size, ...]]
else:
    _SizeParam = _SizesParam = click.ParamType  # not generic yet in click 8.2 and 8.3


class Finite(click.FloatRange):
    """A finite number within bounds; NaN would pass click's comparisons."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Convert as click does, but refuse NaN and infinity."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


class Percent(Finite):
    """A percentage: ``10%`` or ``10`` is 0.1."""

    name = "PERCENT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse a number or a percentage, and return it as a share."""
        return super().convert(str(value).removesuffix("%"), param, ctx) / 100


class MultipleOfFour(click.IntRange):
    """A side of a size that every net returns unchanged: a multiple of four."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Convert as click does, but refuse other numbers."""
        number = int(super().convert(value, param, ctx))
        if number % 4:
            self.fail(f"{number} is not a multiple of 4", param, ctx)
        return number


class SizeType(_SizeParam):
    """A size: ``512`` for a square, ``HxW`` such as ``720x1280``, ``720p``, ``1080p`` or ``4k``."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Size:
        """Parse a size as (height, width)."""
        if isinstance(value, tuple):
            return value
        if str(value).lower() in _SCREENS:
            return _SCREENS[str(value).lower()]
        parts = str(value).lower().split("x")
        if len(parts) > 2 or not all(part.isdecimal() for part in parts):
            self.fail(f"{value!r} is neither N nor HxW", param, ctx)
        sides = [int(part) for part in parts]
        if not all(0 < side <= LARGEST_SIDE for side in sides):
            self.fail(f"{value!r}: sides are 1 to {LARGEST_SIDE}", param, ctx)
        return sides[0], sides[-1]


class SizesType(_SizesParam):
    """Sizes separated by commas: ``256,512,720x1280``."""

    name = "SIZES"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Size, ...]:
        """Parse sizes as ((height, width), ...)."""
        if isinstance(value, tuple):
            return value
        return tuple(SIZE.convert(part.strip(), param, ctx) for part in str(value).split(","))


class OutputType(click.Path):
    """A file or folder to write; an empty name, as from an unset variable, is refused."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert as click does, but refuse the empty name."""
        if not str(value):
            self.fail("it is an empty name", param, ctx)
        return super().convert(value, param, ctx)


OUTPUT = OutputType()
SIZE = SizeType()
SIZES = SizesType()
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
