"""The Markdown report, for a job summary on GitHub or a comment."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from sttk.toolkit.parity.compare import Row
from sttk.toolkit.parity.formats.phrases import FAIL, PASS, headline, notes, rung, status, verdict
from sttk.toolkit.parity.outcome import Judged, Outcome
from sttk.toolkit.parity.show import decibels, explained, title, under

_SPECIAL = re.compile(r"[\\`*_\[\]<>&|~#]")


def markdown(outcomes: Sequence[Outcome]) -> str:
    """Return the verdict on each model, then its inputs' figures, folded if the model passed."""
    lines = [f"### sttk: {headline(outcomes)}", "", "| model | | verdict |", "|---|---|---|"]
    lines += [
        f"| {_plain(outcome.candidate)} | {_sign(outcome)} | {_plain(verdict(outcome))} |"
        for outcome in outcomes
    ]
    for outcome in outcomes:
        if isinstance(outcome, Judged):
            lines += ["", *_details(outcome)]
    return "\n".join([*lines, ""])


def _sign(outcome: Outcome) -> str:
    found = status(outcome)
    if not outcome.passed:
        return f"❌ {found}"
    return f"✅ {found}" if found == PASS else f"⚠️ {found}"


def _details(outcome: Judged) -> Iterator[str]:
    report = outcome.report
    yield "<details>" if report.passed else "<details open>"
    how = f"under {under(report)} against {report.reference}"
    yield f"<summary>{_plain(report.name)} {_plain(how)}</summary>\n"
    yield "| input | largest | mean | PSNR | float32 | noise | verdict |"
    yield "|---|--:|--:|--:|--:|--:|---|"
    yield from (f"| {' | '.join(map(_plain, _cells(row)))} |" for row in report.rows)
    yield ""
    for check in report.checks:
        detail = f": {check.detail}" if check.detail else ""
        yield f"- {PASS if check.passed else FAIL}: {_plain(check.name + detail)}"
    for note in dict.fromkeys((*notes(outcome), *map(explained, report.rows), report.not_run)):
        if note:
            yield f"- {_plain(note)}"
    yield "\n</details>"


def _cells(row: Row) -> list[str]:
    known = not math.isnan(row.found.largest)
    off = [f"{row.found.largest:.4g}", f"{row.found.mean:.3g}"] if known else ["", ""]
    figures = map(decibels, (row.found, row.floor, row.noise))
    return [title(row), *off, *figures, rung(row)]


def _plain(text: str) -> str:
    """Escape a text and put it on one line: file names may contain anything."""
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", " ".join(text.split()))
