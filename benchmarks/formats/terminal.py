"""Results on the terminal: tables of 80 columns, then what they do not say."""

from __future__ import annotations

from collections.abc import Sequence

import click

from benchmarks import words
from benchmarks.compare import Change
from benchmarks.rows import Results, Row
from toolkit.console import print_table
from toolkit.text import printable


def show(results: Results) -> None:
    """Everything, on standard output."""
    click.echo(words.where(results))
    click.echo(f"measured peaks: {words.peaks(results)}")
    for size in results.sizes:
        found = words.lines(results, size)
        click.echo(f"\n{printable(words.title(results, size))}")
        print_table(words.COLUMNS, [(each.label, *each.figures) for each in found if each.figures])
        for each in found:
            if each.reason:
                click.echo(f"{each.label}: not run: {printable(each.reason)}")
        for remark in words.remarks(results, size):
            click.echo(remark)
        print_table(
            words.COSTS, [(each.label, *each.figures) for each in words.costs(results, size)]
        )
    for said in (words.calm(results), "", words.EXPLAINED, words.COSTS_EXPLAINED):
        click.echo(said)
    for said in (*words.equal_loss(results), *words.nodes(results)):
        click.echo(said)


def show_changes(
    changes: Sequence[Change], lost: Sequence[Row], software: Sequence[str], allowed: float
) -> None:
    """A table of each row against what it was."""
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
