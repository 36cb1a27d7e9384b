"""Several nets as one: the weighted mean of their pictures."""

from __future__ import annotations

from collections.abc import Sequence

from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.host.memory import BYTES_PER_PIXEL
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.runtimes.base import Frugal, Runner


class BlendRunner:
    """Runs nets one after the other on the same input.

    Args:
        parts: runners of the same kind and shapes, each with its share; the shares' sum is 1.
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


def common_contract(contracts: Sequence[Contract]) -> Contract:
    """What an input must be that all of several nets take and give back in the same size.

    Raises:
        ValueError: there is no such contract.
    """
    multiple = max(contract.size_multiple for contract in contracts)
    if any(multiple % contract.size_multiple for contract in contracts):
        raise ValueError("their sizes have no common multiple among them")
    return Contract(
        size_multiple=multiple,
        smallest_side=max(contract.smallest_side for contract in contracts),
    )
