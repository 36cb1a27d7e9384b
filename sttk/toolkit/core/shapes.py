"""The sizes that a model is made for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

Size = tuple[int, int]  # (height, width) in pixels
# The side of the largest texture that phones and GPUs take; beyond it lies a typing error. A larger
# picture is still taken by a model of any size, in tiles.
LARGEST_SIDE = 16_384


def text(size: Size) -> str:
    """Height first, as arrays have it: ``480x640``."""
    return f"{size[0]}x{size[1]}"


class ShapesError(ValueError):
    """Sizes that no model is made for."""


@dataclass(frozen=True)
class Shapes:
    """The inputs (B, 3, H, W) that a model takes; make one with a class method.

    Attributes:
        sizes: one size is a fixed model, several are the only ones it takes, the first being its
            default. With ``least`` and ``most``, the one size that the model is tuned for.
        least: smallest height and width of a range, or None.
        most: largest height and width of a range, or None.
        batch: pictures at once, or None for any number.
    """

    sizes: tuple[Size, ...] = ()
    least: Size | None = None
    most: Size | None = None
    batch: int | None = 1

    @classmethod
    def fixed(cls, height: int, width: int, batch: int | None = 1) -> Shapes:
        """One size."""
        return cls(((height, width),), batch=batch)

    @classmethod
    def one_of(cls, sizes: Sequence[Size]) -> Shapes:
        """Several sizes, the first being the default."""
        return cls(tuple(sizes))

    @classmethod
    def within(cls, least: Size, tuned: Size, most: Size) -> Shapes:
        """Any size from ``least`` to ``most``, tuned for one."""
        return cls((tuned,), least, most)

    @classmethod
    def any(cls) -> Shapes:
        """Any size and batch."""
        return cls(batch=None)

    def __post_init__(self) -> None:
        """Shapes come from files and command lines: raise ShapesError on what cannot be."""
        if (self.least is None) != (self.most is None):
            raise ShapesError("a range has a smallest and a largest size")
        named = [*self.sizes, *(size for size in (self.least, self.most) if size)]
        for size in named:
            if len(size) != 2 or not all(type(n) is int and 1 <= n <= LARGEST_SIDE for n in size):
                raise ShapesError(f"{size} is no height and width from 1 to {LARGEST_SIDE}")
        if len(set(self.sizes)) < len(self.sizes):
            raise ShapesError("a size is named twice")
        if self.batch is not None and not (type(self.batch) is int and self.batch >= 1):
            raise ShapesError(f"a batch of {self.batch}")
        if self.least and (len(self.sizes) != 1 or not self.takes(self.sizes[0])):
            raise ShapesError(f"a range is tuned for one size in it, not {self.sizes}")

    @property
    def only(self) -> Size | None:
        """The size of a fixed model."""
        return self.sizes[0] if len(self.sizes) == 1 and self.least is None else None

    @property
    def default(self) -> Size | None:
        """The size to use where the caller has no wish; None for a model of any size."""
        return self.sizes[0] if self.sizes else None

    @property
    def kind(self) -> str:
        """``fixed``, ``enumerated``, ``range`` or ``any``."""
        if self.least:
            return "range"
        return ("any", "fixed")[len(self.sizes)] if len(self.sizes) < 2 else "enumerated"

    @property
    def smallest(self) -> Size | None:
        """Least height and least width that are promised; None for a model of any size."""
        if self.least:
            return self.least
        return (
            (min(h for h, _ in self.sizes), min(w for _, w in self.sizes)) if self.sizes else None
        )

    @property
    def promised(self) -> tuple[Size, ...]:
        """The sizes to try: every one of a list, default and extremes of a range, none for any."""
        if self.least and self.most:
            return tuple(dict.fromkeys((self.sizes[0], self.least, self.most)))
        return self.sizes

    def takes(self, size: Size) -> bool:
        """Whether the model takes this size."""
        if self.least and self.most:
            pairs = zip(self.least, size, self.most, strict=True)
            return all(low <= n <= high for low, n, high in pairs)
        return not self.sizes or size in self.sizes

    def __str__(self) -> str:
        """For folders and reports: ``512x512``, ``dynamic``, ``256x256+512x512``, ``64x64-..``."""
        if self.least and self.most:
            return f"{text(self.least)}-{text(self.most)}"
        return "+".join(map(text, self.sizes)) or "dynamic"

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Shapes:
        """The inverse of :meth:`to_dict`. Raises KeyError, TypeError or ValueError."""
        least, most = (tuple(fields[key]) if fields[key] else None for key in ("least", "most"))
        sizes = tuple((height, width) for height, width in fields["sizes"])
        return cls(sizes, least, most, fields["batch"])
