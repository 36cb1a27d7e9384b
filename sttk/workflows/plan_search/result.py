"""What a search for a plan found, and which plan is the one to take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.plan import Plan
from sttk.workflows.plan_search.trial import Score

Cost = Literal["bytes", "time"]


@dataclass(frozen=True)
class Candidate:
    """A plan that was tried, exported and measured.

    Attributes:
        plan: which block is in which precision.
        high: names of the blocks that are kept high.
        bytes: that its layers read and write for one picture (sttk.toolkit.precision.cost).
        emulated: in torch, every float16 result rounded to float16.
        measured: of the exported model, under its runtime.
        milliseconds: for one picture, the median; None where no time that means anything is to be
            had here.
    """

    plan: Plan
    high: tuple[str, ...]
    bytes: int
    emulated: Score
    measured: Score
    milliseconds: float | None = None

    @property
    def worst(self) -> float:
        """The lower of the two, in dB: a CPU's runtime computes float16 in float32 where it can,
        and a model may be worse than what was emulated.
        """
        return min(self.emulated.worst, self.measured.worst)

    @property
    def where(self) -> str:
        """The input that this is of."""
        return min((self.emulated, self.measured), key=lambda score: score.worst).where

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "plan": self.plan.to_dict(),
            "bytes": self.bytes,
            "milliseconds": self.milliseconds,
            "worst_db": self.worst,
            "worst_input": self.where,
            "emulated_db": dict(self.emulated.decibels),
            "measured_db": dict(self.measured.decibels),
        }


def price_of(candidate: Candidate, cost: Cost) -> float:
    """By which candidates are compared."""
    timed = cost == "time" and candidate.milliseconds is not None
    return candidate.milliseconds or 0.0 if timed else candidate.bytes


@dataclass(frozen=True)
class SearchResult:
    """A search's result.

    Attributes:
        style: short name of the style.
        target: that the plans were exported to.
        low, high: the two precisions.
        floor: in dB, of the worst input.
        cost: what the cheapest plan is cheapest by.
        size: of the pictures, such as ``256x256``.
        candidates: measured, the cheapest first.
        alone: dB on the worst input with one block alone in the low precision, by its name.
        tried: how many plans were emulated.
        runtime: that measured.
        notes: what else a reader must know.
    """

    style: str
    target: str
    low: Precision
    high: Precision
    floor: float
    cost: Cost
    size: str
    candidates: tuple[Candidate, ...]
    alone: dict[str, float]
    tried: int
    runtime: str
    notes: tuple[str, ...] = ()

    @property
    def chosen(self) -> Candidate | None:
        """The cheapest candidate that holds the floor, or None."""
        held = [each for each in self.candidates if each.worst >= self.floor]
        return min(held, key=lambda one: price_of(one, self.cost), default=None)

    @property
    def best(self) -> Candidate:
        """The candidate that is nearest to the reference."""
        return max(self.candidates, key=lambda each: each.worst)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        chosen = self.chosen
        return {
            "style": self.style,
            "target": self.target,
            "precision": self.low,
            "high": self.high,
            "floor_db": self.floor,
            "cost": self.cost,
            "size": self.size,
            "runtime": self.runtime,
            "plans_tried": self.tried,
            "alone_db": self.alone,
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            "chosen": self.candidates.index(chosen) if chosen else None,
            "notes": list(self.notes),
        }
