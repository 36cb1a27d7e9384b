"""A bisection as text for the terminal."""

from __future__ import annotations

import click

from sttk.toolkit.io.console import print_table
from sttk.toolkit.parity.bisect.bisection import Bisection, BlockRow

_COLUMNS = ("block", "in the model", "SNR dB", "floor", "alone", "")


def show(bisection: Bisection) -> None:
    """Print every block, then the first that falls, with all its names."""
    click.echo(f"{bisection.model}, block by block")
    print_table(_COLUMNS, [_cells(row) for row in bisection.rows])
    for note in bisection.notes:
        click.echo(f"note: {note}")
    click.echo(f"{verdict(bisection)}\n")


def _cells(row: BlockRow) -> list[str]:
    operation = f"{row.operation} ({row.kind})" if row.tensor else "-"
    figures = [_figure(row.snr), _figure(row.floor), _figure(row.alone)]
    return [row.block, operation, *figures, _word(row)]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _word(row: BlockRow) -> str:
    if row.falls:
        return "AT FAULT" if row.at_fault else "passes it on"
    if row.heals:
        return "another way"
    return f"times {row.scale:g}" if row.scale != 1 else ""


def verdict(bisection: Bisection) -> str:
    """Return a sentence on the first block that falls, and the command that reproduces it."""
    first = bisection.first
    if first is None:
        return "no block falls under its floor"
    text = (
        f"first {'at fault' if first.at_fault else 'to fall'}: {first.block} ({first.function}), "
        f"in the model {first.operation} ({first.kind}), tensor {first.tensor}: "
        f"{first.snr:.1f} dB, floor {first.floor:.1f}"
    )
    if first.alone is None:
        text += "; it does not run alone"
    elif not first.at_fault:
        text += "; given the right input it is right, so errors before it add up in it"
    others = [row.block for row in bisection.rows if row.at_fault and row is not first]
    if others:
        text += f"\nat fault, too: {', '.join(others)}"
    if bisection.reproduction:
        text += f"\nreproduce: python {bisection.reproduction}/reproduce.py"
    return text
