"""Charts of results, each as a PNG for documents and an SVG for the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sttk.benchmarks.report_text import label, speed_up, where
from sttk.benchmarks.rows import ITERATIONS, Results, Row
from sttk.toolkit.core.shapes import text
from sttk.toolkit.imaging.charts import PALETTE, blank, png, svg

_INCHES = (8.0, 4.5)
_BAR = 0.36  # inches of height for each bar
_LINES = {"fp32": "-", "bf16": "--", "fp16": "--", "int8": ":"}


class Chart(NamedTuple):
    """A chart in two formats."""

    png: bytes
    svg: str


def draw(results: Results) -> dict[str, Chart]:
    """Return the charts for which there are results, by name.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    pages = {name: chart(results) for name, chart in _CHARTS.items()}
    return {name: Chart(png(page), svg(page)) for name, page in pages.items() if page is not None}


def _ran(results: Results) -> list[Row]:
    rows = [row for size in results.sizes for row in results.at(size)]
    return [row for row in rows if row.timing]


def _titled(axes: Any, title: str, results: Results) -> None:
    axes.set_title(title, loc="left", fontweight="bold", pad=20)
    axes.annotate(
        where(results), (0, 1), (0, 6), xycoords="axes fraction", textcoords="offset points",
        fontsize=7, color="#555555",
    )  # fmt: skip


def _fps(results: Results) -> Any:
    """Draw the FPS: lines over the sizes, or bars if there is only one size."""
    rows = [row for row in _ran(results) if row.case.batch == 1]
    if not rows:
        return None
    if len(results.sizes) == 1:
        page, (axes,) = _panels(results, rows, lambda row: row.fps, "{:.2f}")
        axes.set_xlabel("pictures a second, model alone")
        _titled(axes, f"{results.style['name']} at {text(results.sizes[0])}", results)
        return page
    page = blank(_INCHES)
    axes = page.subplots()
    runtimes = list(dict.fromkeys(row.case.runtime for row in rows))
    for name in dict.fromkeys(label(row, results) for row in rows):
        own = [row for row in rows if label(row, results) == name]
        case = own[0].case
        axes.plot(
            [text(row.case.size) for row in own], [row.fps for row in own], marker="o", label=name,
            color=_color(runtimes.index(case.runtime)), linestyle=_LINES.get(case.precision, "-."),
        )  # fmt: skip
    axes.set_yscale("log")
    axes.set_ylabel("pictures a second, model alone")
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)
    _titled(axes, f"{results.style['name']} by size", results)
    return page


def _speed_ups(results: Results) -> Any:
    """Draw the speed-up over the optimisation at the same size, on a log axis."""
    rows = [row for row in _ran(results) if results.gatys(row.case.size)]
    if not rows:
        return None

    def times(row: Row) -> float:
        gatys = results.gatys(row.case.size)
        return speed_up(row, gatys, ITERATIONS[-1]) if gatys else 0.0

    page, axes = _panels(results, rows, times, "{:,.0f} x")
    for each in axes:  # from 1, equally fast: it gives the length of a bar on a log axis a meaning
        each.set_xscale("log")
        each.set_xlim(1, 8 * max(map(times, rows)))
    axes[-1].set_xlabel(f"times faster than {ITERATIONS[-1]} iterations of Gatys (extrapolated)")
    _titled(axes[0], "One pass against the optimisation", results)
    return page


def _roofline(results: Results) -> Any:
    """Draw the time of each row and its lower bound by the machine's peaks."""
    rows = [row for row in _ran(results) if row.limit]
    if not rows:
        return None
    page, axes = _panels(results, rows, lambda row: 1e3 * row.seconds, "{:,.1f}")
    for each, own in zip(axes, _by_size(rows), strict=True):
        limits = [1e3 * (row.limit or 0.0) for row in own]
        each.barh(range(len(own)), limits, color=PALETTE[1], label="limit by measured peaks")
    axes[-1].set_xlabel("ms of one run")
    handles, _ = axes[-1].get_legend_handles_labels()
    page.legend(handles=handles, loc="outside lower right", fontsize=8)
    _titled(axes[0], "What it took, and what the machine could do", results)
    return page


def _equal_loss(results: Results) -> Any:
    """Draw the optimisation's loss over time, relative to the net's loss."""
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


def _by_size(rows: Sequence[Row]) -> list[list[Row]]:
    sizes = dict.fromkeys(row.case.size for row in rows)
    return [[row for row in rows if row.case.size == size] for size in sizes]


def _panels(
    results: Results, rows: Sequence[Row], value: Callable[[Row], float], value_format: str
) -> tuple[Any, list[Any]]:
    """Draw a panel for each size with a labelled bar for each row, the first on top."""
    groups = _by_size(rows)
    page = blank((_INCHES[0], 1.2 + 0.5 * len(groups) + _BAR * len(rows)))
    heights = [len(group) for group in groups]
    axes = page.subplots(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
    for each, group in zip(axes, groups, strict=True):
        values = [value(row) for row in group]
        bars = each.barh(range(len(group)), values, color=PALETTE[0])
        each.set_yticks(range(len(group)), [label(row, results) for row in group])
        each.bar_label(
            bars, [value_format.format(number) for number in values], padding=4, fontsize=9
        )
        each.invert_yaxis()
        each.margins(x=0.12, y=0.02)
        each.grid(axis="x", alpha=0.3)
        each.set_axisbelow(True)
        if len(groups) > 1:
            each.set_ylabel(text(group[0].case.size))
    return page, list(axes)


def _color(number: int) -> str:
    return PALETTE[number % len(PALETTE)]
