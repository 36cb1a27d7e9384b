"""A net's losses on held-out photographs, compared with Gatys' optimisation.

They are stored in the card in the net's file, as ``held_out``: the source of the figures in the
list of styles, the model cards and the report.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import inf
from statistics import fmean, median_high
from typing import Any

KEY = "held_out"
# Noise first: the paper starts from it, and a net is judged by it.
STARTS = ("noise", "content")


@dataclass(frozen=True)
class Optimised:
    """The optimisation of one photograph from one start.

    Attributes:
        total: the total loss after ``HeldOut.iterations``.
        equal: the number of iterations needed to reach the net's loss; None if more than
            ``HeldOut.most``.
    """

    total: float
    equal: int | None


@dataclass(frozen=True)
class Measured:
    """The measurements on one photograph.

    Attributes:
        name: the stem of its file's name.
        losses: the weighted loss terms of the net's output, and their ``total``.
        optimised: the optimisation from each start, ``noise`` or ``content``.
    """

    name: str
    losses: dict[str, float]
    optimised: dict[str, Optimised]


@dataclass(frozen=True)
class HeldOut:
    """A net's measurements on held-out photographs, at least one.

    Attributes:
        photographs: the measurements on each photograph.
        size: the side of the square photographs in pixels.
        iterations: the number of iterations after which the losses are compared.
        most: the largest number of iterations that were run to reach the net's loss.
        machine: the machine of the measurements, with the relevant software versions.
    """

    photographs: tuple[Measured, ...]
    size: int
    iterations: int
    most: int
    machine: str

    @property
    def starts(self) -> tuple[str, ...]:
        """The starts of the optimisation, in the order of ``STARTS`` (a card sorts its keys)."""
        return tuple(start for start in STARTS if start in self.photographs[0].optimised)

    @property
    def losses(self) -> dict[str, float]:
        """The mean of each loss term over the photographs."""
        terms = self.photographs[0].losses
        return {name: fmean(each.losses[name] for each in self.photographs) for name in terms}

    def optimised(self, start: str) -> float:
        """Return the optimisation's mean total loss after :attr:`iterations`."""
        return fmean(each.optimised[start].total for each in self.photographs)

    def ratio(self, start: str) -> float:
        """Return the ratio of the mean losses, net to optimisation; under 1 the net is better."""
        return self.losses["total"] / self.optimised(start)

    def equal(self, start: str) -> str:
        """Return the median number of iterations that reach the net's loss, as text.

        Of an even number of photographs, it is the higher of the two middle ones.
        """
        counts = (each.optimised[start].equal for each in self.photographs)
        return self.iterations_text(_median(counts))

    def iterations_text(self, equal: int | None) -> str:
        """Return a number of iterations as text, such as ``>500`` if the loss was not reached."""
        return f">{self.most}" if equal is None else str(equal)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values for the card."""
        return {**asdict(self), "photographs": [asdict(each) for each in self.photographs]}

    @classmethod
    def from_card(cls, card: dict[str, Any]) -> HeldOut | None:
        """Return the figures of a model card; None if it has none."""
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
