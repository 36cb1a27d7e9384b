"""Which rows to doubt: judged against what this machine does to all rows.

Rows take turns, so what else a machine does widens the intervals of all alike. That is said once;
a row is marked only where it varies, or drifts, much more than the others.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from sttk.benchmarks.budget import ROUNDS
from sttk.benchmarks.rows import Row, Timing

# An interval that is so many times the machine's own, and wider than this share of the median.
_MUCH, _LEAST = 3.0, 0.10
_DRIFT = 1.10
_QUIET = 0.05


@dataclass(frozen=True)
class Noise:
    """What a machine did to the rows that took turns on it.

    Attributes:
        rows: how many took turns for long enough to tell.
        spread: the median of the rows' spreads (``sttk.benchmarks.statistics.Summary.spread``).
        drift: the median of their drifts.
    """

    rows: int
    spread: float
    drift: float

    @property
    def told(self) -> str:
        """In one line."""
        if not self.rows:
            return f"how noisy the machine was is not known: no row had {ROUNDS} turns"
        kind = "quiet" if self.spread <= _QUIET else "noisy"
        return f"the machine was {kind}: rows' medians are known to ±{self.spread:.0%}"

    def doubt(self, timing: Timing) -> str:
        """Why a row should be trusted less than the others, or ""."""
        if len(timing.turns) < ROUNDS:
            return f"{len(timing.turns)} of {ROUNDS} turns: time was over"
        found, said = timing.summary, []
        if found.spread > max(_LEAST, _MUCH * self.spread):
            said.append(f"noisy: its median is known to ±{found.spread:.0%} only")
        own, allowed = found.drift / self.drift, max(_DRIFT, 1 + _MUCH * self.spread)
        if not 1 / allowed <= own <= allowed:
            said.append(f"drifting: the later half took {own:.2f} x the earlier")
        return "; ".join(said)


def noise_of(rows: Sequence[Row]) -> Noise:
    """Return the noise of rows that took turns; a quiet machine's where none ran long enough."""
    ran = [row.timing for row in rows if row.timing and len(row.timing.turns) >= ROUNDS]
    found = [timing.summary for timing in ran]
    if not found:
        return Noise(0, 0.0, 1.0)
    return Noise(
        len(found),
        statistics.median(each.spread for each in found),
        statistics.median(each.drift for each in found),
    )
