"""Detection of unreliable rows, relative to the noise of the machine.

Rows take turns, so other load on the machine widens the intervals of all rows alike. That is
reported once; a row is flagged only if it varies or drifts much more than the others.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from sttk.benchmarks.budget import ROUNDS
from sttk.benchmarks.rows import Row, Timing

# A row is noisy if its spread exceeds this multiple of the machine's and this share of the median.
_MUCH, _LEAST = 3.0, 0.10
_DRIFT = 1.10
_QUIET = 0.05


@dataclass(frozen=True)
class Noise:
    """The noise of the machine during a benchmark.

    Attributes:
        rows: the number of rows that ran long enough to measure it.
        spread: the median of the rows' spreads (``sttk.benchmarks.statistics.Summary.spread``).
        drift: the median of the rows' drifts.
    """

    rows: int
    spread: float
    drift: float

    @property
    def told(self) -> str:
        """A description in one line."""
        if not self.rows:
            return f"how noisy the machine was is not known: no row had {ROUNDS} turns"
        kind = "quiet" if self.spread <= _QUIET else "noisy"
        return f"the machine was {kind}: rows' medians are known to ±{self.spread:.0%}"

    def doubt(self, timing: Timing) -> str:
        """Return why a row is less reliable than the others, or an empty string."""
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
    """Return the noise of the rows; that of a quiet machine if no row ran long enough."""
    ran = [row.timing for row in rows if row.timing and len(row.timing.turns) >= ROUNDS]
    found = [timing.summary for timing in ran]
    if not found:
        return Noise(0, 0.0, 1.0)
    return Noise(
        len(found),
        statistics.median(each.spread for each in found),
        statistics.median(each.drift for each in found),
    )
