"""A plot of the losses of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sttk.toolkit.imaging.charts import PALETTE, blank, write_png

_INCHES = (8.0, 4.5)


def draw_curve(rows: Sequence[dict[str, float]], path: Path, *, title: str, across: str) -> None:
    """Plot losses on a logarithmic scale to a PNG, which is written atomically.

    Args:
        rows: the rows of a loss log, at least one: ``step``, ``seconds``, the terms and their
            ``total``.
        path: the PNG to write.
        title: the plot's title.
        across: the x axis's label, such as ``iteration``.

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
    axes.plot(steps, [row["total"] for row in rows], color="black", linewidth=2, label="total")
    axes.set_yscale("log", nonpositive="mask")
    axes.set_xlabel(across)
    axes.set_ylabel("weighted loss")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend()
    write_png(page, path)
