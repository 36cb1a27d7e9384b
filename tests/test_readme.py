"""The README's figures are those of the committed report."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from sttk.benchmarks.compare import read_results
from sttk.benchmarks.formats.markdown import table
from sttk.toolkit import styles
from sttk.toolkit.evaluation.held_out import HeldOut
from sttk.toolkit.evaluation.mobile_comparison import MobileComparison

ROOT = Path(__file__).parents[1]


REPORTS = ROOT / "artifacts/reports"


def summary() -> list[str]:
    """One line per checkpoint: the verdicts on all inputs of all of its artifacts."""
    found: dict[tuple[str, str], dict[str, Counter[str]]] = {}
    for line in (REPORTS / "parity.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 8 or not cells[2].startswith(("onnx-", "openvino-", "coreml-", "trt-")):
            continue
        name, layout, artifact, verdicts, saved, _, _, verdict = cells
        assert verdict.startswith("pass")
        counts = found.setdefault((name, layout), {})
        for column, text in ((artifact.split("-")[1], verdicts), ("saved", saved)):
            counts.setdefault(column, Counter()).update(counted(text))
    return [
        f"| {' | '.join([*who, *map(told, counts.values())])} |" for who, counts in order(found)
    ]


def order(
    found: dict[tuple[str, str], dict[str, Counter[str]]],
) -> list[tuple[tuple[str, str], dict[str, Counter[str]]]]:
    columns = ("fp32", "fp16", "saved")
    return [(who, {each: counts[each] for each in columns}) for who, counts in found.items()]


def counted(text: str) -> Counter[str]:
    parts = [part.partition(" ") for part in text.split(", ") if part]
    return Counter({rung: int(number) for number, _, rung in parts})


def told(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {rung}" for rung, number in counts.most_common())


def test_the_parity_table_is_the_reports() -> None:
    readme = (ROOT / "README.md").read_text()
    rows = summary()
    assert len(rows) == 17
    start = readme.index(rows[0])
    assert readme[start:].startswith("\n".join(rows))
    (said,) = re.findall(
        r"^\*\*(.* alarms)\.\*\*$", (REPORTS / "parity.md").read_text(), re.MULTILINE
    )
    assert said in " ".join(readme.split())


@pytest.mark.parametrize("report", ["mutants.md", "mutants-phones.md"])
def test_the_kills_are_the_reports(report: str) -> None:
    said = re.findall(r"^\*\*(\d+ faults .*)\.\*\*$", (REPORTS / report).read_text(), re.MULTILINE)
    assert len(said) == 1
    assert said[0] in " ".join((ROOT / "README.md").read_text().split())


def test_the_benchmarks_table_is_the_reports() -> None:
    report = (REPORTS / "bench/bench.md").read_text()
    start = report.index("| runtime | ms |")
    drawn = report[start : report.index("\n\n", start)]
    rows = [row for row in drawn.splitlines() if "not run" not in row]
    assert len(rows) > 10
    readme = (ROOT / "README.md").read_text()
    assert "\n".join(rows) in readme


def test_the_table_of_targets_is_the_reports() -> None:
    report = (REPORTS / "targets.md").read_text()
    start = report.index("| target | precision |")
    table = report[start : report.index("\n\n", start)]
    assert len(table.splitlines()) == 2 + 24
    assert table in (ROOT / "README.md").read_text()
    bench = json.loads((REPORTS / "bench-phones/bench.json").read_text())
    times = {
        (row["case"]["runtime"], row["case"]["precision"]): 1e3 * row["summary"]["p50"]
        for row in bench["rows"]
    }
    for (runtime, precision), milliseconds in times.items():
        target = {"onnxruntime": "onnx"}.get(runtime, runtime)
        pattern = rf"^\| {target} \| {precision} \|.* \| {milliseconds:.0f} \|"
        assert re.search(pattern, table, re.MULTILINE)


def test_the_styles_losses_are_their_cards() -> None:
    report = (REPORTS / "styles.md").read_text()
    ratios = []
    for name in styles.full_names():
        held = HeldOut.from_card(styles.find(name).origin.card)
        assert held
        ratios.append(held.ratio("noise"))
        total, best = held.losses["total"], held.optimised("noise")
        row = f"| {name} | noise | {total:,.0f} | {best:,.0f} | {ratios[-1]:.2f} |"
        assert row in report
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert f"losses are {min(ratios):.2f} to {max(ratios):.2f} times" in readme


def test_the_mobile_nets_ratios_are_their_cards() -> None:
    report = (REPORTS / "mobile.md").read_text()
    ratios = []
    for name in styles.small_names():
        comparison = MobileComparison.from_card(styles.find(name).origin.card)
        assert comparison
        ratios.append(comparison.ratio)
        assert re.search(
            rf"^\| {name} \| 12 \|.* \| {comparison.ratio:.2f} \|", report, re.MULTILINE
        )
    readme = " ".join((ROOT / "README.md").read_text().split())
    said = f"{min(ratios):.2f} to {max(ratios):.2f}, {median(ratios):.2f} in the median"
    assert f"by the full net's objective, is {said}" in readme


def test_the_tiles_figures_are_the_reports() -> None:
    (row,) = re.findall(r"^\| ink-mobile-m \|.*", (REPORTS / "tiles.md").read_text(), re.MULTILINE)
    psnr, largest, _, _, large = (cell.strip() for cell in row.strip("|").split("|")[1:])
    seconds, memory = large.split(", ")
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert int(largest) <= 1
    assert f"({psnr}), and one of 24 megapixels takes {memory} and {seconds} with" in readme


def test_the_equal_loss_is_the_reports() -> None:
    results = read_results(REPORTS / "bench-equal-loss/bench.json")
    readme = " ".join((ROOT / "README.md").read_text().split())
    for start in ("noise", "content"):
        found = [each for each in results.equal if each["start"] == start]
        counts, seconds = ([each[key] for each in found] for key in ("iterations", "seconds"))
        said = f"{min(counts)} to {max(counts)} iterations ({min(seconds):.0f} to "
        assert f"{said}{max(seconds):.0f} s)" in readme
    own = [row for row in results.rows if row.timing and row.case.model == "ink"]
    best = min(row.seconds for row in own if row.case.precision == "fp32")
    times = [each["seconds"] / best for each in results.equal]
    assert f"{min(times):.0f} to {max(times):.0f} times" in readme


def test_the_reports_figures_are_those_of_its_samples() -> None:
    """Markdown made again from the committed samples says the same."""
    for name in ("bench", "bench-equal-loss", "bench-sizes"):
        folder = REPORTS / name
        written = (folder / "bench.md").read_text()
        results = read_results(folder / "bench.json")
        for size in results.sizes:
            assert table(results, size) in written


def test_links_to_files_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert target.startswith("http") or (ROOT / target).exists(), target
