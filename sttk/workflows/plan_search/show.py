"""A search's result as text for the terminal."""

from __future__ import annotations

import click

from sttk.toolkit.io.console import print_table
from sttk.workflows.plan_search.result import Candidate, SearchResult


def show(found: SearchResult) -> None:
    """Print the search's parameters, the Pareto table, and each plan."""
    click.echo(
        f"{found.style} for {found.target}: {found.low} with blocks in {found.high}, "
        f"{found.floor:g} dB on every input of {found.size}"
    )
    print_table(columns(found), [cells(found, index) for index in range(len(found.candidates))])
    for index in range(len(found.candidates)):
        click.echo(f"{index + 1}: {found.candidates[index].plan}")
    for note in found.notes:
        click.echo(f"note: {note}")


def columns(found: SearchResult) -> list[str]:
    """Return the table's column headings."""
    floor = f"{found.floor:g} dB"
    return ["plan", found.high, "MB", "ms", "emulated", "measured", "worst input", floor]


def cells(found: SearchResult, index: int) -> list[str]:
    """Return one plan's row of the table."""
    one = found.candidates[index]
    time = "-" if one.milliseconds is None else f"{one.milliseconds:.1f}"
    return [
        str(index + 1),
        f"{len(one.high)} of {len(found.alone)}",
        f"{one.bytes / 1e6:.0f}",
        time,
        f"{one.emulated.worst:.1f}",
        f"{one.measured.worst:.1f}",
        one.where.rsplit(" ", 1)[0],
        _verdict(found, one),
    ]


def by(found: SearchResult) -> str:
    """Return the unit of cost by which a plan is the cheapest."""
    if found.cost == "time":
        return f"milliseconds of {found.runtime} on this machine"
    return "bytes of weights and activations moved"


def _verdict(found: SearchResult, one: Candidate) -> str:
    if one is found.chosen:
        return "cheapest"
    return "holds" if one.worst >= found.floor else "below"
