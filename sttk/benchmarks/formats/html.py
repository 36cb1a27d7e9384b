"""The report as a self-contained HTML page with charts."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from sttk.benchmarks import report_text
from sttk.benchmarks.rows import Results
from sttk.toolkit.io.pages import page_template

_CAPTIONS = {
    "fps": "Pictures a second.",
    "speed-up": "One pass of the net against the optimisation that it replaces, on a log axis.",
    "roofline": "Time of one run, and the part that the machine's measured peaks account for.",
    "equal-loss": "How long the optimisation takes to be as good as the net is in one pass.",
}


def html(results: Results, command: str, charts: Mapping[str, str]) -> str:
    """Return the report as an HTML page.

    Args:
        results: the results of the benchmark.
        command: the command that reproduces them.
        charts: the charts as SVG text, by name (``sttk.benchmarks.charts.draw``).
    """
    sections = [
        {
            "title": report_text.title(results, size),
            "lines": report_text.lines(results, size),
            "remarks": list(report_text.remarks(results, size)),
            "costs": report_text.costs(results, size),
        }
        for size in results.sizes
    ]
    # Safe to embed: matplotlib escapes the texts in its charts.
    drawn = [(Markup(svg), _CAPTIONS[name]) for name, svg in charts.items()]  # noqa: S704
    return page_template("sttk.benchmarks.formats").render(
        style=results.style["name"],
        where=report_text.where(results),
        peaks=report_text.peaks(results),
        software=results.environment["software"],
        columns=report_text.COLUMNS,
        explained=(report_text.EXPLAINED, report_text.COSTS_EXPLAINED, report_text.calm(results)),
        cost_columns=report_text.COSTS,
        sections=sections,
        charts=drawn,
        equal=list(report_text.equal_loss(results)),
        nodes=list(report_text.nodes(results)),
        command=command,
    )
