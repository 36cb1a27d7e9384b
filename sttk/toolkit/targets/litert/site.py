"""What an operation is prepared from: its options and constants at one place in a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from sttk.toolkit.targets.litert.program import Array

# Indices along an axis are made in memory before a result is.
MOST_INDICES = 1 << 16
# It computes a result from an operation's inputs in order; None for integers and absent ones.
Apply = Callable[..., Tensor]


class UnsupportedError(Exception):
    """An operation is used in a way that is not supported here."""


@dataclass(frozen=True)
class Site:
    """See the module.

    Attributes:
        options: the operation's options, by their names in the schema.
        constants: its constant inputs as they are stored, by position; None for the others.
    """

    options: Mapping[str, Any]
    constants: Sequence[Array | None]

    def option(self, name: str) -> Any:
        """Return an option. Raises UnsupportedError if the file has none."""
        require(name in self.options, f"it has no option {name}")
        return self.options[name]

    def numbers(self, position: int) -> list[int]:
        """Return the integers of a constant input. Raises UnsupportedError if it is none."""
        values = self.constants[position] if position < len(self.constants) else None
        if values is None or not np.issubdtype(values.dtype, np.integer):
            raise UnsupportedError(f"its input {position} is no constant of integers")
        return [int(value) for value in np.ravel(values)]

    def pairs(self, position: int) -> list[tuple[int, int]]:
        """Return (before, after) for each axis, as pads are stored."""
        flat = self.numbers(position)
        require(len(flat) % 2 == 0, f"{len(flat)} numbers of pads")
        return list(zip(flat[::2], flat[1::2], strict=True))


Prepare = Callable[[Site], Apply]


def require(condition: bool, otherwise: str) -> None:
    """Raise UnsupportedError with what is otherwise the case."""
    if not condition:
        raise UnsupportedError(otherwise)
