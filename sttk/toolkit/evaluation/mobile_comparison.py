"""A mobile net's losses on held-out photographs, compared with the full net of the same style.

Both are evaluated with the full net's objective. The comparison is stored in the card in the mobile
net's file.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

KEY = "beside"  # in cards


@dataclass(frozen=True)
class Pair:
    """The losses of both nets on one photograph.

    Attributes:
        name: the stem of its file's name.
        small: the weighted loss terms of the mobile net's output, and their ``total``.
        full: the weighted loss terms of the full net's output, and their ``total``.
    """

    name: str
    small: dict[str, float]
    full: dict[str, float]

    @property
    def ratio(self) -> float:
        """The ratio of the totals, mobile to full; under 1 the mobile net is better."""
        return self.small["total"] / self.full["total"]


@dataclass(frozen=True)
class MobileComparison:
    """A comparison of a mobile net with its full net on at least one photograph.

    Attributes:
        full: the name of the full net's style.
        size: the height and width of the photographs in pixels.
        pairs: the losses on each photograph.
    """

    full: str
    size: tuple[int, int]
    pairs: tuple[Pair, ...]

    @property
    def ratio(self) -> float:
        """The median ratio over the photographs."""
        return median(pair.ratio for pair in self.pairs)

    def terms(self) -> dict[str, float]:
        """Return the median ratio of each loss term; ``total`` is :attr:`ratio`."""
        return {
            term: median(pair.small[term] / pair.full[term] for pair in self.pairs)
            for term in self.pairs[0].small
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values for the card."""
        return asdict(self)

    @classmethod
    def from_card(cls, card: dict[str, Any]) -> MobileComparison | None:
        """Return the comparison in a model card; None if it has none."""
        if KEY not in card:
            return None
        values = card[KEY]
        pairs = tuple(Pair(**pair) for pair in values["pairs"])
        return cls(values["full"], tuple(values["size"]), pairs)
