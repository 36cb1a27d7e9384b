"""Who looks on while a model is judged: what a report shows beside the figures."""

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
        output: the candidate's, (B, 3, H', W') in 0..255, or None where it failed to run.
        answer: that it was held against; what of it was not computed yet is, when asked for.
        row: the verdict.
    """

    sample: Sample
    output: Floats | None
    answer: ReferenceOutput
    row: Row


# Shown each row of a report, in order. Arrays are large: a witness keeps what it makes of them.
Observer = Callable[[Observation], None]
