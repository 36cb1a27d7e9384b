"""Search plans of a style in several precisions, write tables and charts.

usage: python scripts/precision_report.py STYLE TARGET:PRECISION:FLOOR... -o REPORT.md

The charts stand beside the report. A search that finds no plan is a section that says so, and exit
code 1.
"""

from __future__ import annotations

import argparse
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from sttk.toolkit.host.machine import cpu
from sttk.toolkit.imaging.regimes import shipped_photos
from sttk.toolkit.styles import find
from sttk.workflows.plan_search.chart import draw
from sttk.workflows.plan_search.result import SearchResult
from sttk.workflows.plan_search.run import SearchConfig, search
from sttk.workflows.plan_search.show import by, cells, columns

_SIZE = (256, 256)
_LIBRARIES = ("torch", "onnx", "onnxruntime", "openvino")


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("style")
    parser.add_argument("searches", nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    found = [_searched(options.style, *words.split(":")) for words in options.searches]
    for one in found:
        draw(one, options.output.parent / _chart(options.output, one))
    sections = "\n\n".join(_section(one, _chart(options.output, one)) for one in found)
    options.output.write_text(f"{_head(sys.argv)}\n\n{sections}\n", encoding="utf-8")
    return 0 if all(one.chosen for one in found) else 1


def _searched(style: str, target: str, low: str, floor: str) -> SearchResult:
    cost = "time" if low == "int8" else "bytes"
    photos = tuple(shipped_photos())
    net = find(style)
    ask = SearchConfig(net, target, low, "fp32", float(floor), _SIZE, photos, cost=cost)  # type: ignore[arg-type]
    return search(ask, lambda text: print(target, low, text, file=sys.stderr))  # noqa: T201


def _chart(report: Path, found: SearchResult) -> str:
    return f"{report.stem}-{found.target}-{found.low}.png"


def _head(arguments: list[str]) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    processor = cpu()
    return (
        f"# Precision plans\n\nMade by `python {' '.join(arguments)}`, {versions}, "
        f"Python {platform.python_version()}, {processor.name}, {processor.cores} cores. "
        f"dB are PSNR against the float net in float64, on the worst of the inputs; ms are of one "
        f"picture, the median of interleaved rounds."
    )


def _section(found: SearchResult, chart: str) -> str:
    header = columns(found)
    rows = [cells(found, index) for index in range(len(found.candidates))]
    table = ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows]]
    plans = [f"{index}. {one.plan}" for index, one in enumerate(found.candidates, 1)]
    chosen = found.chosen
    verdict = f"Cheapest by {by(found)}: {chosen.plan}." if chosen else "No plan holds the floor."
    notes = [f"- {note}" for note in found.notes]
    title = f"## {found.style}, {found.target}, {found.low}: {found.floor:g} dB at {found.size}"
    parts = [title, "\n".join(table), "\n".join(plans), verdict, f"![{title[3:]}]({chart})"]
    return "\n\n".join([*parts, *(["\n".join(notes)] if notes else [])])


if __name__ == "__main__":
    sys.exit(main())
