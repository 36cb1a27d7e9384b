"""The shape options of ``sttk export``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sttk.toolkit.core.errors import UsageError

if TYPE_CHECKING:
    from sttk.toolkit.core.shapes import Shapes, Size


def shapes_of(
    squares: tuple[Size, ...],
    listed: tuple[Size, ...] | None,
    dynamic: bool,
    bounds: tuple[Size | None, Size | None, Size | None],
) -> list[Shapes]:
    """Return the shapes of the models to export, from the one way to give them that was used."""
    from sttk.toolkit.core.shapes import Shapes

    ways = {
        "--size": bool(squares),
        "--sizes": listed is not None,
        "--dynamic": dynamic,
        "--min-size": any(bounds),
    }
    used = [way for way, given in ways.items() if given]
    if len(used) > 1:
        raise UsageError(f"{' and '.join(used)}: give one of them")
    try:
        if listed:
            return [Shapes.one_of(listed)]
        if any(bounds):
            return [_range(*bounds)]
    except ValueError as error:
        raise UsageError(str(error)) from error
    if dynamic:
        return [Shapes.any()]
    return [Shapes.fixed(*size) for size in dict.fromkeys(squares)]


def default_shapes(target: str) -> Shapes:
    """Return a target's shapes where no size is given."""
    from sttk.exporters import exporter
    from sttk.exporters.base import SQUARE
    from sttk.toolkit.core.shapes import Shapes

    return Shapes.any() if exporter(target).kinds[0] == "any" else SQUARE


def _range(least: Size | None, tuned: Size | None, most: Size | None) -> Shapes:
    from sttk.toolkit.core.shapes import Shapes

    if least is None or most is None:
        raise UsageError("a range needs --min-size and --max-size")
    tuned = tuned or most
    if not all(a <= b <= c for a, b, c in zip(least, tuned, most, strict=True)):
        raise UsageError("--min-size, --opt-size and --max-size must not fall, in height or width")
    return Shapes.within(least, tuned, most)
