"""The README's figures are those of the committed report."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def summary() -> list[str]:
    """One line per checkpoint: the worst of its exports in each precision."""
    worst: dict[tuple[str, str], dict[str, tuple[float, float]]] = {}
    for line in (ROOT / "artifacts/reports/parity.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 8 or cells[2] not in ("256x256", "dynamic"):
            continue
        name, layout, _, precision, _, largest, psnr, verdict = cells
        assert verdict == "pass"
        rows = worst.setdefault((name, layout), {})
        before = rows.get(precision, (0.0, 999.0))
        decibels = float(psnr.split()[0])
        rows[precision] = (max(before[0], float(largest)), min(before[1], decibels))
    return [
        f"| {name} | {layout} | {rows['fp32'][0]:.4f} | {rows['fp16'][1]:.1f} dB |"
        for (name, layout), rows in worst.items()
    ]


def test_the_parity_table_is_the_reports() -> None:
    readme = (ROOT / "README.md").read_text()
    rows = summary()
    assert len(rows) == 12
    start = readme.index(rows[0])
    assert readme[start:].startswith("\n".join(rows))


def test_links_to_files_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert target.startswith("http") or (ROOT / target).exists(), target
