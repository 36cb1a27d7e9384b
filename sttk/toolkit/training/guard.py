"""Whether a run is still sound: a loss that is a number, and does not run away."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sttk.toolkit.training.log import Row

# The rows are means of 20 steps. One hard crop lifts a row several times, and training recovers
# from it (seen with Adam: style loss x500 in one step); what lasts for ten rows does not recover.
_TIMES, _ROWS = 20.0, 10


def is_number(losses: Row) -> bool:
    """Whether the total is finite; any term that is not makes it so."""
    return math.isfinite(losses["total"])


def is_sound(rows: Sequence[Row]) -> bool:
    """Whether the last row is not far above the best: a state that is worth keeping."""
    return not rows or rows[-1]["total"] <= _TIMES * min(row["total"] for row in rows)


def has_diverged(rows: Sequence[Row]) -> bool:
    """Whether the loss has stayed far above its best for too long."""
    best = min((row["total"] for row in rows), default=0.0)
    recent = rows[-_ROWS:]
    return len(recent) == _ROWS and all(row["total"] > _TIMES * best for row in recent)
