"""The losses of a run as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sttk.toolkit.imaging.charts import PALETTE, blank, write_png

_INCHES = (8.0, 4.5)


def draw_curve(rows: Sequence[dict[str, float]], path: Path, *, title: str, across: str) -> None:
    """Write a PNG of losses on a logarithmic scale, whole or not at all.

    Args:
        rows: of a loss log: ``step``, ``seconds``, the terms and their ``total``; at least one.
        path: of the PNG.
        title: above the curves.
        across: what a step is, such as ``iteration``.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    page = blank(_INCHES)
    axes = page.subplots()
    steps = [row["step"] for row in rows]
    terms = [name for name in rows[0] if name not in ("step", "seconds", "total")]
    for number, name in enumerate(terms):
        color = PALETTE[number % len(PALETTE)]
        axes.plot(steps, [row[name] for row in rows], color=color, label=name)
    # Black is the total's.
    axes.plot(steps, [row["total"] for row in rows], color="black", linewidth=2, label="total")
    axes.set_yscale("log", nonpositive="mask")
    axes.set_xlabel(across)
    axes.set_ylabel("weighted loss")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend()
    write_png(page, path)
