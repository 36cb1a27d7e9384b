"""Results as charts, each a PNG for documents and an SVG for the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.rows import Results, Row
from benchmarks.suite import ITERATIONS
from benchmarks.words import label, speed_up, where
from toolkit.canvas import PALETTE, blank, svg, write_png
from toolkit.files import write_atomic
from toolkit.shapes import text

_INCHES = (8.0, 4.5)
_BAR = 0.42  # inches of height for each bar


def draw(results: Results, folder: Path) -> dict[str, str]:
    """Write each chart that there are figures for. Returns their SVG text by name.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    drawn = {}
    for name, chart in _CHARTS.items():
        page = chart(results)
        if page is None:
            continue
        write_png(page, folder / f"{name}.png")
        drawn[name] = svg(page)
        write_atomic(folder / f"{name}.svg", drawn[name].encode())
    return drawn


def _ran(results: Results) -> list[Row]:
    rows = [row for size in results.sizes for row in results.at(size)]
    return [row for row in rows if row.timing]


def _titled(axes: Any, title: str, results: Results) -> None:
    axes.set_title(f"{title}\n", loc="left", fontweight="bold")
    axes.text(0, 1.02, where(results), transform=axes.transAxes, fontsize=7, color="#555555")


def _fps(results: Results) -> Any:
    """FPS by size: lines over the sides, or bars where there is one size."""
    rows = [row for row in _ran(results) if row.case.batch == 1]
    if not rows:
        return None
    if len(results.sizes) == 1:
        page = _bars(results, rows, [row.fps for row in rows], "{:.2f}")
        axes = page.axes[0]
        axes.set_xlabel("pictures a second, model alone")
        _titled(axes, f"{results.style['name']} at {text(results.sizes[0])}", results)
        return page
    page = blank(_INCHES)
    axes = page.subplots()
    for number, name in enumerate(dict.fromkeys(label(row, results) for row in rows)):
        own = [row for row in rows if label(row, results) == name]
        across = [text(row.case.size) for row in own]
        axes.plot(across, [row.fps for row in own], "o-", label=name, color=_color(number))
    axes.set_yscale("log")
    axes.set_ylabel("pictures a second, model alone")
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)
    _titled(axes, f"{results.style['name']} by size", results)
    return page


def _speed_ups(results: Results) -> Any:
    """Against the optimisation, each size with its own, on a log axis."""
    pairs = [(row, results.gatys(row.case.size)) for row in _ran(results)]
    known = [(row, gatys) for row, gatys in pairs if gatys]
    if not known:
        return None
    rows = [row for row, _ in known]
    values = [speed_up(row, gatys, ITERATIONS[-1]) for row, gatys in known]
    page = _bars(results, rows, values, "{:,.0f} x", log=True)
    axes = page.axes[0]
    axes.set_xlabel(f"times faster than {ITERATIONS[-1]} iterations of Gatys (extrapolated)")
    _titled(axes, "One pass against the optimisation", results)
    return page


def _roofline(results: Results) -> Any:
    """What each row took, and the part of it that the machine's peaks account for."""
    rows = [row for row in _ran(results) if row.limit]
    if not rows:
        return None
    page = _bars(results, rows, [1e3 * row.seconds for row in rows], "{:,.1f}")
    axes = page.axes[0]
    limits = [1e3 * (row.limit or 0.0) for row in rows]
    axes.barh(range(len(rows)), limits, color=PALETTE[1], label="limit by measured peaks")
    axes.set_xlabel("ms of one run")
    page.legend(loc="outside lower right", fontsize=8)
    _titled(axes, "What it took, and what the machine could do", results)
    return page


def _equal_loss(results: Results) -> Any:
    """The optimisation's loss by its time, each by what the net reaches in one pass."""
    if not results.equal:
        return None
    page = blank(_INCHES)
    axes = page.subplots()
    for number, each in enumerate(results.equal):
        seconds = [row[1] for row in each["curve"]]
        ratio = [row[2] / each["aim"] for row in each["curve"]]
        name = f"{each['photo']}, from {each['start']}"
        axes.plot(seconds, ratio, label=name, color=_color(number))
    axes.axhline(1, color="black", linewidth=1, linestyle="--", label="the net, in one pass")
    axes.set_yscale("log")
    axes.set_xlabel("seconds of the optimisation")
    axes.set_ylabel("its loss by the net's")
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)
    _titled(axes, "When is the optimisation as good as the net?", results)
    return page


_CHARTS: dict[str, Callable[[Results], Any]] = {
    "fps": _fps,
    "speed-up": _speed_ups,
    "roofline": _roofline,
    "equal-loss": _equal_loss,
}


def _bars(
    results: Results, rows: list[Row], values: list[float], told: str, *, log: bool = False
) -> Any:
    """One bar for each row, the first on top, its value at its end."""
    page = blank((_INCHES[0], 1.6 + _BAR * len(rows)))
    axes = page.subplots()
    several = len(results.sizes) > 1
    names = [
        f"{label(row, results)}{f', {text(row.case.size)}' if several else ''}" for row in rows
    ]
    bars = axes.barh(range(len(rows)), values, color=PALETTE[0])
    axes.set_yticks(range(len(rows)), names)
    axes.bar_label(bars, [told.format(value) for value in values], padding=4, fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    if log:  # from 1, as fast: the length of a bar on such an axis means nothing else
        axes.set_xscale("log")
        axes.set_xlim(1, 8 * max(values))
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    return page


def _color(number: int) -> str:
    return PALETTE[number % len(PALETTE)]
