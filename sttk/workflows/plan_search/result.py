"""The result of a plan search: the candidates, and the one that is chosen."""

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
        plan: the precision of each block.
        high: the names of the blocks that are kept in the high precision.
        bytes: the bytes that its layers read and write for one picture
            (sttk.toolkit.precision.cost).
        emulated: the score in torch, with every float16 result rounded to float16.
        measured: the score of the exported model under its runtime.
        milliseconds: the median time of one picture; None where a time on this machine would be
            meaningless.
    """

    plan: Plan
    high: tuple[str, ...]
    bytes: int
    emulated: Score
    measured: Score
    milliseconds: float | None = None

    @property
    def worst(self) -> float:
        """The lower one of the emulated and the measured PSNR on the worst input, in dB.

        Both are needed: a CPU's runtime computes float16 in float32 where it can, and an exported
        model may be worse than the emulation.
        """
        return min(self.emulated.worst, self.measured.worst)

    @property
    def where(self) -> str:
        """The name of the worst input."""
        return min((self.emulated, self.measured), key=lambda score: score.worst).where

    def to_dict(self) -> dict[str, Any]:
        """Return the candidate as plain JSON values."""
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
    """Return the cost by which candidates are compared: milliseconds if measured, else bytes."""
    timed = cost == "time" and candidate.milliseconds is not None
    return candidate.milliseconds or 0.0 if timed else candidate.bytes


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Attributes:
        style: the style's short name.
        target: the target that the plans were exported to.
        low, high: the two precisions.
        floor: the lowest PSNR on the worst input that is accepted, in dB.
        cost: the cost that the cheapest plan minimises.
        size: the size of the pictures, such as ``256x256``.
        candidates: the measured plans, the cheapest first.
        alone: PSNR in dB on the worst input with one block alone in the low precision, by its name.
        tried: the number of plans that were emulated.
        runtime: the runtime that ran the exported models.
        devices: the names of the devices that they ran on.
        notes: further facts that a reader must know.
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
    devices: tuple[str, ...] = ("host",)
    notes: tuple[str, ...] = ()

    @property
    def chosen(self) -> Candidate | None:
        """The cheapest candidate that holds the floor, or None."""
        held = [each for each in self.candidates if each.worst >= self.floor]
        return min(held, key=lambda one: price_of(one, self.cost), default=None)

    @property
    def best(self) -> Candidate:
        """The candidate that is closest to the reference."""
        return max(self.candidates, key=lambda each: each.worst)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON values."""
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
            "devices": list(self.devices),
            "plans_tried": self.tried,
            "alone_db": self.alone,
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            "chosen": self.candidates.index(chosen) if chosen else None,
            "notes": list(self.notes),
        }
