"""Observers of a parity run: callbacks that see each input's arrays and verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.imaging.regimes import Sample
from sttk.toolkit.parity.compare import Row
from sttk.toolkit.parity.reference import ReferenceOutput


@dataclass(frozen=True, eq=False)
class Observation:
    """One input as it was judged.

    Attributes:
        sample: the input.
        output: the candidate's output, (B, 3, H', W') in 0..255, or None where it failed to run.
        answer: the reference's output; parts that were not needed yet are computed on access.
        row: the verdict.
    """

    sample: Sample
    output: Floats | None
    answer: ReferenceOutput
    row: Row


# Called for each row of a report, in order. The arrays are large: an observer should not keep them.
Observer = Callable[[Observation], None]
