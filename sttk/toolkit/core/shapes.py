"""The input shapes that a model is exported for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

Size = tuple[int, int]  # (height, width) in pixels
# The side of the largest texture that phones and GPUs take; beyond it lies a typing error. A larger
# picture is still taken by a model of any size, in tiles.
LARGEST_SIDE = 16_384


def text(size: Size) -> str:
    """Return the size as text, height first as in arrays: ``480x640``."""
    return f"{size[0]}x{size[1]}"


class ShapesError(ValueError):
    """Sizes that no model is made for."""


@dataclass(frozen=True)
class Shapes:
    """The input shapes (B, 3, H, W) that a model takes; create one with a class method.

    Attributes:
        sizes: the only sizes that the model takes, the first being the default. One size is a
            fixed model, none is a model of any size. With ``least`` and ``most``, the one size that
            the model is tuned for.
        least: the smallest height and width of a range, or None.
        most: the largest height and width of a range, or None.
        batch: the batch size, or None for any.
    """

    sizes: tuple[Size, ...] = ()
    least: Size | None = None
    most: Size | None = None
    batch: int | None = 1

    @classmethod
    def fixed(cls, height: int, width: int, batch: int | None = 1) -> Shapes:
        """Return the shapes of a model with one size."""
        return cls(((height, width),), batch=batch)

    @classmethod
    def one_of(cls, sizes: Sequence[Size]) -> Shapes:
        """Return the shapes of a model with several sizes, the first being the default."""
        return cls(tuple(sizes))

    @classmethod
    def within(cls, least: Size, tuned: Size, most: Size) -> Shapes:
        """Return the shapes of a model of any size from ``least`` to ``most``, tuned for one."""
        return cls((tuned,), least, most)

    @classmethod
    def any(cls) -> Shapes:
        """Return the shapes of a model of any size and batch."""
        return cls(batch=None)

    def __post_init__(self) -> None:
        """Raise ShapesError for impossible shapes: they come from files and command lines."""
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
        """The size of a fixed model, None for other models."""
        return self.sizes[0] if len(self.sizes) == 1 and self.least is None else None

    @property
    def default(self) -> Size | None:
        """The size to use where the caller names none; None for a model of any size."""
        return self.sizes[0] if self.sizes else None

    @property
    def kind(self) -> str:
        """The kind: ``fixed``, ``enumerated``, ``range`` or ``any``."""
        if self.least:
            return "range"
        return ("any", "fixed")[len(self.sizes)] if len(self.sizes) < 2 else "enumerated"

    @property
    def smallest(self) -> Size | None:
        """The least height and the least width that are promised; None for a model of any size."""
        if self.least:
            return self.least
        return (
            (min(h for h, _ in self.sizes), min(w for _, w in self.sizes)) if self.sizes else None
        )

    @property
    def promised(self) -> tuple[Size, ...]:
        """The sizes to check: all of a list, the default and extremes of a range, else none."""
        if self.least and self.most:
            return tuple(dict.fromkeys((self.sizes[0], self.least, self.most)))
        return self.sizes

    def takes(self, size: Size) -> bool:
        """Return whether the model takes this size."""
        if self.least and self.most:
            pairs = zip(self.least, size, self.most, strict=True)
            return all(low <= n <= high for low, n, high in pairs)
        return not self.sizes or size in self.sizes

    def __str__(self) -> str:
        """Return text for folders and reports.

        Examples: ``512x512``, ``dynamic``, ``256x256+512x512``, ``64x64-1024x1024``.
        """
        if self.least and self.most:
            return f"{text(self.least)}-{text(self.most)}"
        return "+".join(map(text, self.sizes)) or "dynamic"

    def to_dict(self) -> dict[str, Any]:
        """Return the shapes as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Shapes:
        """Invert :meth:`to_dict`.

        Raises:
            KeyError, TypeError, ValueError: ``fields`` are not shapes.
        """
        least, most = (tuple(fields[key]) if fields[key] else None for key in ("least", "most"))
        sizes = tuple((height, width) for height, width in fields["sizes"])
        return cls(sizes, least, most, fields["batch"])
