"""A parity report for people."""

from __future__ import annotations

import click

from toolkit.console import print_table
from toolkit.parity.compare import Report, Row


def show(report: Report) -> None:
    """Print one report: what was looked at, each input's figures, the verdict."""
    click.echo(f"{report.candidate} under {report.runtime} against {report.reference}")
    for check in report.checks:
        word = "pass" if check.passed else "FAIL"
        click.echo(f"{word}: {check.name}: {check.detail}".rstrip(": "))
    print_table(["input", "largest", "mean", "PSNR dB", ""], [_cells(row) for row in report.rows])
    for note in report.notes:
        click.echo(f"note: {note}")
    if report.not_run:
        click.echo(f"{report.not_run}; the figures are of the graph that it was compiled from")
    click.echo(
        f"{'pass' if report.passed else 'FAIL'}: allowed are {report.limits.largest} of 255 and "
        f"{report.limits.psnr:.0f} dB at least\n"
    )


def _cells(row: Row) -> list[str]:
    verdict = "pass" if row.passed else f"FAIL {row.note}".rstrip()
    found = row.found
    return [row.name, f"{found.largest:.4f}", f"{found.mean:.5f}", f"{found.psnr:.1f}", verdict]
