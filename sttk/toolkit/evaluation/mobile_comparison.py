"""What a small net reaches on photographs that it was not trained on, beside the full net of the
same style: both judged by the full net's objective. A net's file carries it in its card.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

KEY = "beside"


@dataclass(frozen=True)
class Pair:
    """One photograph.

    Attributes:
        name: of its file, without the suffix.
        small: weighted terms of the small net's picture, and their ``total``.
        full: those of the full net's.
    """

    name: str
    small: dict[str, float]
    full: dict[str, float]

    @property
    def ratio(self) -> float:
        """Of the totals; under 1 the small net's picture is better."""
        return self.small["total"] / self.full["total"]


@dataclass(frozen=True)
class MobileComparison:
    """All photographs that the two were compared on, at least one.

    Attributes:
        full: name of the full net's style.
        size: height and width of the photographs in pixels.
        pairs: each photograph.
    """

    full: str
    size: tuple[int, int]
    pairs: tuple[Pair, ...]

    @property
    def ratio(self) -> float:
        """The median over the photographs."""
        return median(pair.ratio for pair in self.pairs)

    def terms(self) -> dict[str, float]:
        """The median ratio of each term; ``total`` is :attr:`ratio`."""
        return {
            term: median(pair.small[term] / pair.full[term] for pair in self.pairs)
            for term in self.pairs[0].small
        }

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, for the card."""
        return asdict(self)

    @classmethod
    def from_card(cls, card: dict[str, Any]) -> MobileComparison | None:
        """From a model card; None if it has no such figures."""
        if KEY not in card:
            return None
        values = card[KEY]
        pairs = tuple(Pair(**pair) for pair in values["pairs"])
        return cls(values["full"], tuple(values["size"]), pairs)
