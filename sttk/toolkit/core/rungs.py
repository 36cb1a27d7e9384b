"""The rungs of a verdict, from the best, and what keeping a promise means.

exact
    within what float32 arithmetic costs on an input.
faithful
    within the net's own answer to half a grey level of noise in that input.
same style
    another picture perhaps, with the content and style losses of the reference.
different
    none of these.

``parity/judge.py`` decides between them.
"""

from __future__ import annotations

EXACT, FAITHFUL, SAME_STYLE, DIFFERENT = "exact", "faithful", "same style", "different"
RUNGS = (EXACT, FAITHFUL, SAME_STYLE, DIFFERENT)


def keeps(rung: str, promise: str) -> bool:
    """Return whether a verdict is as good as the promise; what was not judged breaks none."""
    return rung not in RUNGS or RUNGS.index(rung) <= RUNGS.index(promise)
