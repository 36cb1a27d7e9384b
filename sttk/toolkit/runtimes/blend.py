"""Blends of several nets: the weighted mean of their outputs."""

from __future__ import annotations

from collections.abc import Sequence

from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.host.memory import BYTES_PER_PIXEL
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.runtimes.base import Closing, Frugal, Runner


class BlendRunner(Closing):
    """A runner that returns the weighted mean of several runners' outputs.

    Args:
        parts: runners of the same kind and shapes, each with its weight; the weights sum to 1.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, parts: Sequence[tuple[Runner, float]]) -> None:
        self._parts = parts
        self.name: str = parts[0][0].name
        self.takes: Shapes = parts[0][0].takes
        self.bytes_per_pixel: int = max(
            part.bytes_per_pixel if isinstance(part, Frugal) else BYTES_PER_PIXEL
            for part, _ in parts
        )

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        first, share = self._parts[0]
        total: Floats = first.run(batch) * share
        for part, share in self._parts[1:]:
            total += part.run(batch) * share
        return total

    def close(self) -> None:
        """See :class:`Runner`."""
        for part, _ in self._parts:
            part.close()


def common_contract(contracts: Sequence[Contract]) -> Contract:
    """Return a contract whose inputs all of the nets take and return in the same size.

    Raises:
        ValueError: no size multiple is a multiple of all the others.
    """
    multiple = max(contract.size_multiple for contract in contracts)
    if any(multiple % contract.size_multiple for contract in contracts):
        raise ValueError("their sizes have no common multiple among them")
    return Contract(
        size_multiple=multiple,
        smallest_side=max(contract.smallest_side for contract in contracts),
    )
