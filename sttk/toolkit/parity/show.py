"""A parity report as text for the terminal."""

from __future__ import annotations

import math

import click

from sttk.toolkit.core.rungs import RUNGS
from sttk.toolkit.io.console import print_table
from sttk.toolkit.parity import judge
from sttk.toolkit.parity.compare import REFERENCE, Report, Row
from sttk.toolkit.parity.metrics import Difference


def show(report: Report) -> None:
    """Print one report: the model, the checks, each input's figures, and the verdict."""
    click.echo(f"{report.name} under {under(report)}, against {report.reference}")
    for check in report.checks:
        word = "pass" if check.passed else "FAIL"
        click.echo(f"{word}: {check.name}: {check.detail}".rstrip(": "))
    columns = ["input", "largest", "PSNR", "float32", "noise", "verdict"]
    print_table(columns, [_cells(row) for row in report.rows])
    for note in dict.fromkeys((*report.notes, *filter(None, map(explained, report.rows)))):
        click.echo(f"note: {note}")
    if note := _graph_note(report):
        click.echo(note)
    click.echo(summary(report))


def line(report: Report) -> str:
    """Return the report in one line: verdict, model, runtime, and the worst input.

    An example is ``pass: a/onnx-fp32-64x64 under onnxruntime, float32 on x86-64: exact promised;
    12 exact; worst: ramp 64x64, 71.2 dB``.
    """
    word, verdict = summary(report).split(": ", 1)
    worst = report.worst
    psnr = f", {decibels(worst.found)} dB" if decibels(worst.found) else ""
    parts = [f"{word}: {report.name} under {under(report)}: {verdict}",
             f"worst: {title(worst)}{psnr}"]  # fmt: skip
    parts += [f"{check.name} fails" for check in report.checks if not check.passed]
    why = "" if worst.passed else reason(worst)
    return "; ".join([*parts, *filter(None, (why, _graph_note(report)))])


def under(report: Report) -> str:
    """Return the runtime and the arithmetic, such as ``onnxruntime, float32 on x86-64``."""
    return f"{report.runtime}, {report.evidence.brief}" if report.evidence else report.runtime


def _graph_note(report: Report) -> str:
    """Return the note that the figures are not those of the artifact's own model, or ""."""
    if not report.not_run:
        return ""
    return f"{report.not_run}; the figures are of the graph that it was compiled from"


def summary(report: Report) -> str:
    """Return the verdict in one line: ``pass: exact promised; 10 exact, 1 ill-conditioned``."""
    verdicts = (*RUNGS, judge.ILL_CONDITIONED, judge.NOT_RUN, judge.FINITE)
    counts = [f"{report.count(word)} {word}" for word in verdicts if report.count(word)]
    word = "pass" if report.passed else "FAIL"
    return f"{word}: {report.promise} promised; {', '.join(counts)}"


def explained(row: Row) -> str:
    """Return :func:`reason`, after the name of the input."""
    why = reason(row)
    return f"{row.name}: {why}" if why else ""


def reason(row: Row) -> str:
    """Return what a row's figures do not say, or not at a glance; "" for nothing."""
    if row.note:
        return row.note
    parts = []
    if not row.passed and row.border.rms > 2 * row.inside.rms:
        border, rest = f"{row.border.rms:.3g}", f"{row.inside.rms:.3g}"
        parts.append(f"the border is off by {border} of 255 on average, the rest by {rest}")
    if row.style:
        content, style, ssim = row.style.content, row.style.style, row.style.ssim
        losses = f"content loss {content:+.1%}, style {style:.1%} from the {row.against}'s"
        parts.append(f"{losses}, SSIM {ssim:.2f}")
    return "; ".join(parts)


def title(row: Row) -> str:
    """Return the input's name, and what it was compared with if that is not the reference."""
    return row.name if row.against == REFERENCE else f"{row.name}, {row.against}"


def decibels(found: Difference | None) -> str:
    """Return the PSNR in dB as text, or "" where there is none."""
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
