"""The report as Markdown, for documents and reviews."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sttk.benchmarks import report_text
from sttk.benchmarks.rows import Results
from sttk.toolkit.core.shapes import Size


def markdown(results: Results, command: str, charts: Iterable[str] = ()) -> str:
    """Return the report as Markdown.

    Args:
        results: the results of the benchmark.
        command: the command that reproduces them.
        charts: the names of the charts, which are PNG files next to the report.
    """
    software = ", ".join(f"{k} {v}" for k, v in results.environment["software"].items())
    peaks = report_text.peaks(results)
    parts = [
        f"# Benchmark of {results.style['name']}",
        f"{report_text.where(results)}.\n\nMeasured peaks: {peaks}.\n\n{software}.",
        *(
            f"## {report_text.title(results, size)}\n\n{table(results, size)}"
            for size in results.sizes
        ),
        f"{report_text.EXPLAINED}.\n\n{report_text.COSTS_EXPLAINED}.\n\n{report_text.calm(results)}.",
        *_section("Equal loss", report_text.equal_loss(results)),
        *_section("Slowest nodes", report_text.nodes(results)),
        *(f"![{name}]({name}.png)" for name in charts),
        f"Made by: `{command}`",
    ]
    return "\n\n".join(parts) + "\n"


def table(results: Results, size: Size) -> str:
    """Return the tables of one size and the remarks on them."""
    said = "\n".join(f"- {remark}" for remark in report_text.remarks(results, size))
    parts = (
        _drawn(report_text.COLUMNS, report_text.lines(results, size)),
        said,
        _drawn(report_text.COSTS, report_text.costs(results, size)),
    )
    return "\n\n".join(filter(None, parts))


def _drawn(columns: Sequence[str], found: Sequence[report_text.Line]) -> str:
    rows: list[Sequence[str]] = [columns, ["---"] + ["---:"] * (len(columns) - 1)]
    rows += [(each.label, *(each.figures or (f"not run: {each.reason}",))) for each in found]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _section(name: str, said: Iterable[str]) -> Iterator[str]:
    listed = "\n".join(f"- {each}" for each in said)
    if listed:
        yield f"## {name}\n\n{listed}"
