"""Checks that a run is sound: the loss is finite and does not diverge."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sttk.toolkit.training.log import Row

# The rows are means of 20 steps. One hard crop raises a row several times, and training recovers
# from it (seen with Adam: style loss x500 in one step), but not from a rise that lasts ten rows.
_TIMES, _ROWS = 20.0, 10
# A batch can be odd; that many in a row are not.
_IN_A_ROW = 10


def is_number(losses: Row) -> bool:
    """Return whether the total is finite, and thus every term."""
    return math.isfinite(losses["total"])


def is_sound(rows: Sequence[Row]) -> bool:
    """Return whether the last row is close enough to the best for the state to be saved."""
    return not rows or rows[-1]["total"] <= _TIMES * min(row["total"] for row in rows)


def has_diverged(rows: Sequence[Row]) -> bool:
    """Return whether the loss has stayed far above its best for too long."""
    best = min((row["total"] for row in rows), default=0.0)
    recent = rows[-_ROWS:]
    return len(recent) == _ROWS and all(row["total"] > _TIMES * best for row in recent)


def is_stuck(overflows: Sequence[int]) -> bool:
    """Return whether the last steps in a row, of those listed, had no finite gradient."""
    recent = overflows[-_IN_A_ROW:]
    return len(recent) == _IN_A_ROW and recent[-1] - recent[0] == _IN_A_ROW - 1
