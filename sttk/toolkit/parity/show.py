"""A parity report for people."""

from __future__ import annotations

import math

import click

from sttk.toolkit.core.rungs import RUNGS
from sttk.toolkit.io.console import print_table
from sttk.toolkit.parity import judge
from sttk.toolkit.parity.compare import REFERENCE, Report, Row
from sttk.toolkit.parity.metrics import Difference


def show(report: Report) -> None:
    """Print one report: what was looked at, each input's figures, the verdict."""
    click.echo(f"{report.candidate} under {report.runtime} against {report.reference}")
    for check in report.checks:
        word = "pass" if check.passed else "FAIL"
        click.echo(f"{word}: {check.name}: {check.detail}".rstrip(": "))
    columns = ["input", "largest", "PSNR", "float32", "noise", "verdict"]
    print_table(columns, [_cells(row) for row in report.rows])
    for note in dict.fromkeys((*report.notes, *filter(None, map(explained, report.rows)))):
        click.echo(f"note: {note}")
    if instead := _instead(report):
        click.echo(instead)
    click.echo(summary(report))


def line(report: Report) -> str:
    """All of a report in one line: verdict, model, runtime, and the input to look at.

    Such as ``pass: a/onnx-fp32-64x64 under onnxruntime: exact promised; 12 exact; worst: ramp
    64x64, 71.2 dB``.
    """
    word, verdict = summary(report).split(": ", 1)
    worst = report.worst
    apart = f", {decibels(worst.found)} dB" if decibels(worst.found) else ""
    said = [f"{word}: {report.candidate} under {report.runtime}: {verdict}",
            f"worst: {title(worst)}{apart}"]  # fmt: skip
    said += [f"{check.name} fails" for check in report.checks if not check.passed]
    why = "" if worst.passed else reason(worst)
    return "; ".join([*said, *filter(None, (why, _instead(report)))])


def _instead(report: Report) -> str:
    """That the figures are of another model than the artifact's own, and why."""
    if not report.not_run:
        return ""
    return f"{report.not_run}; the figures are of the graph that it was compiled from"


def summary(report: Report) -> str:
    """One line: ``pass: exact promised; 10 exact, 1 ill-conditioned``."""
    verdicts = (*RUNGS, judge.ILL_CONDITIONED, judge.NOT_RUN, judge.FINITE)
    counts = [f"{report.count(word)} {word}" for word in verdicts if report.count(word)]
    word = "pass" if report.passed else "FAIL"
    return f"{word}: {report.promise} promised; {', '.join(counts)}"


def explained(row: Row) -> str:
    """:func:`reason`, after the name of the input."""
    why = reason(row)
    return f"{row.name}: {why}" if why else ""


def reason(row: Row) -> str:
    """What the figures of a row cannot say, or do not say at a glance; "" for nothing."""
    if row.note:
        return row.note
    said = []
    if not row.passed and row.border.rms > 2 * row.inside.rms:
        border, rest = f"{row.border.rms:.3g}", f"{row.inside.rms:.3g}"
        said.append(f"the border is off by {border} of 255 on average, the rest by {rest}")
    if row.style:
        content, style, ssim = row.style.content, row.style.style, row.style.ssim
        losses = f"content loss {content:+.1%}, style {style:.1%} from the {row.against}'s"
        said.append(f"{losses}, SSIM {ssim:.2f}")
    return "; ".join(said)


def title(row: Row) -> str:
    """The input's name, and what it was held against if that is not the reference."""
    return row.name if row.against == REFERENCE else f"{row.name}, {row.against}"


def decibels(found: Difference | None) -> str:
    """The PSNR, or "" where there is none."""
    return "" if found is None or math.isnan(found.psnr) else f"{found.psnr:.1f}"


def _cells(row: Row) -> list[str]:
    largest = "" if math.isnan(row.found.largest) else f"{row.found.largest:.3f}"
    verdict = row.rung if row.passed else f"FAIL {row.rung}"
    return [
        title(row),
        largest,
        *map(decibels, (row.found, row.floor, row.noise)),
        verdict,
    ]
