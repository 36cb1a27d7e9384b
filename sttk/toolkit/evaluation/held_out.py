"""What a net reaches on photographs that it was not trained on, beside Gatys' optimisation.

A net's file carries it in its card, as ``held_out``; from there the list of styles, the model cards
and the report take their figures.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import inf
from statistics import fmean, median_high
from typing import Any

KEY = "held_out"
# Noise first: it is what the article began with, and what a net is held to.
STARTS = ("noise", "content")


@dataclass(frozen=True)
class Optimised:
    """The optimisation of one photograph from one start.

    Attributes:
        total: its loss after ``HeldOut.iterations``.
        equal: iterations that it takes to reach the net's loss; None for more than
            ``HeldOut.most``.
    """

    total: float
    equal: int | None


@dataclass(frozen=True)
class Measured:
    """One photograph.

    Attributes:
        name: of its file, without the suffix.
        losses: weighted terms of the net's picture, and their ``total``.
        optimised: by what the optimisation began with, ``noise`` or ``content``.
    """

    name: str
    losses: dict[str, float]
    optimised: dict[str, Optimised]


@dataclass(frozen=True)
class HeldOut:
    """All photographs that a net was measured on, at least one.

    Attributes:
        photographs: each with its losses.
        size: the photographs' sides in pixels.
        iterations: after which the two are compared.
        most: iterations that were searched for the net's loss.
        machine: on which it was measured, and the versions that matter.
    """

    photographs: tuple[Measured, ...]
    size: int
    iterations: int
    most: int
    machine: str

    @property
    def starts(self) -> tuple[str, ...]:
        """What the optimisation began with; the order in a file is that of the alphabet."""
        return tuple(start for start in STARTS if start in self.photographs[0].optimised)

    @property
    def losses(self) -> dict[str, float]:
        """Means over the photographs, by term."""
        terms = self.photographs[0].losses
        return {name: fmean(each.losses[name] for each in self.photographs) for name in terms}

    def optimised(self, start: str) -> float:
        """Mean loss of the optimisation after :attr:`iterations`."""
        return fmean(each.optimised[start].total for each in self.photographs)

    def ratio(self, start: str) -> float:
        """The net's mean loss by that of the optimisation; under 1 the net is better."""
        return self.losses["total"] / self.optimised(start)

    def equal(self, start: str) -> str:
        """Iterations that reach the net's loss, the median (the higher of two), as text."""
        counts = (each.optimised[start].equal for each in self.photographs)
        return self.iterations_text(_median(counts))

    def iterations_text(self, equal: int | None) -> str:
        """A count as text; ``>500`` where it was not reached."""
        return f">{self.most}" if equal is None else str(equal)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, for the card."""
        return {**asdict(self), "photographs": [asdict(each) for each in self.photographs]}

    @classmethod
    def from_card(cls, card: dict[str, Any]) -> HeldOut | None:
        """From a model card; None if it has no such figures."""
        if KEY not in card:
            return None
        values = card[KEY]
        photographs = tuple(_measured(each) for each in values["photographs"])
        return cls(**{**values, "photographs": photographs})


def _measured(values: dict[str, Any]) -> Measured:
    optimised = {start: Optimised(**each) for start, each in values["optimised"].items()}
    return Measured(values["name"], values["losses"], optimised)


def _median(counts: Iterable[int | None]) -> int | None:
    middle = median_high(inf if count is None else count for count in counts)
    return None if middle == inf else int(middle)
