"""The report on the terminal: tables of 80 columns, then remarks."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

import click

from sttk.benchmarks import report_text, terminal_table
from sttk.benchmarks.compare import Change
from sttk.benchmarks.rows import Results, Row
from sttk.toolkit.io.console import print_table
from sttk.toolkit.io.text import printable

_MAX_WIDTH = 100


def show(results: Results) -> None:
    """Print a summary to standard output; ``--json`` and the reports have the details."""
    say(report_text.where(results))
    if peaks := report_text.peaks(results):
        say(f"measured peaks: {peaks}")
    for size in results.sizes:
        click.echo(f"\n{printable(report_text.title(results, size))}")
        if found := terminal_table.table(results, size):
            click.echo("\n".join(map(printable, terminal_table.drawn(found))))
        for said in terminal_table.below(results, size):
            say(said)
    for said in (*report_text.equal_loss(results), *report_text.nodes(results)):
        click.echo(said)
    click.echo()
    say(terminal_table.EXPLAINED)


def say(said: str) -> None:
    """Print a paragraph of at most 100 columns with a hanging indent."""
    width = min(shutil.get_terminal_size().columns, _MAX_WIDTH)
    click.echo(
        textwrap.fill(
            printable(said), width, subsequent_indent="  ", break_on_hyphens=False,
            break_long_words=False,
        )
    )  # fmt: skip


def show_changes(
    changes: Sequence[Change], lost: Sequence[Row], software: Sequence[str], allowed: float
) -> None:
    """Print a table that compares each row with the earlier results."""
    rows = [
        (
            str(change.case),
            f"{change.ratio:.3f}",
            f"{change.low:.3f} to {change.high:.3f}",
            "slower" if change.slower(allowed) else "",
        )
        for change in changes
    ]
    click.echo("\nnow by then, model alone; over 1 is slower")
    print_table(("row", "ratio", "95 % interval", ""), rows)
    for row in lost:
        click.echo(f"{row.case}: ran then, not now: {printable(row.not_run)}")
    for each in software:
        click.echo(f"changed: {each}")
