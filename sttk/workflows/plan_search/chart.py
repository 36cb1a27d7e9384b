"""The chart of a plan search: the Pareto front, and the effect of each block alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sttk.toolkit.imaging.charts import blank, write_png
from sttk.workflows.plan_search.result import Candidate, SearchResult

_INCHES = (11.0, 4.5)
_PLAIN, _CHOSEN, _FLOOR = "#4878a8", "#c8502d", "#555555"


def draw(found: SearchResult, path: Path) -> None:
    """Draw the chart and write it as a PNG, atomically."""
    page = blank(_INCHES)
    front, alone = page.subplots(1, 2, width_ratios=(3, 2))
    page.suptitle(
        f"{found.style}, {found.target}: {found.low} with blocks in {found.high}, {found.size}"
    )
    _front(front, found)
    _alone(alone, found)
    write_png(page, path)


def _front(axes: Any, found: SearchResult) -> None:
    timed = found.cost == "time"
    across = [_across(one, timed) for one in found.candidates]
    axes.plot(across, [one.worst for one in found.candidates], "o", color=_PLAIN, label="a plan")
    for number, (x, one) in enumerate(zip(across, found.candidates, strict=True), 1):
        axes.annotate(str(number), (x, one.worst), (6, -12), textcoords="offset points")
    if chosen := found.chosen:
        x = _across(chosen, timed)
        label = "cheapest that holds the floor"
        axes.plot([x], [chosen.worst], "*", color=_CHOSEN, markersize=16, label=label)
    axes.axhline(found.floor, color=_FLOOR, linestyle="--", label=f"floor, {found.floor:g} dB")
    axes.set_xlabel(
        f"time of one picture, ms ({found.runtime}, this machine)" if timed
        else "weights and activations moved for one picture, MB"
    )  # fmt: skip
    axes.set_ylabel("PSNR on the worst input, dB")
    axes.margins(0.1)
    axes.grid(alpha=0.3)
    axes.legend()


def _across(one: Candidate, timed: bool) -> float:
    return one.milliseconds or 0.0 if timed else one.bytes / 1e6


def _alone(axes: Any, found: SearchResult) -> None:
    names = list(found.alone)
    axes.barh(names, [max(0.0, found.alone[name]) for name in names], color=_PLAIN)
    axes.invert_yaxis()  # input first
    axes.axvline(found.floor, color=_FLOOR, linestyle="--")
    axes.set_xlabel(f"worst input with this block alone in {found.low}, dB")
    axes.grid(axis="x", alpha=0.3)
