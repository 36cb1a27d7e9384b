"""What commands print: tables and JSON on standard output, progress on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich import progress as bars
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from toolkit.jsontext import dumps

Update = Callable[[float, str], None]


def print_json(data: Any) -> None:
    """One JSON document on standard output."""
    click.echo(dumps(data))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table that fits the terminal; the columns after the first are set to the right."""
    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*map(Text, row))  # not markup: names may hold brackets
    Console(highlight=False).print(table)


def _silent(done: float, text: str) -> None:
    """Where nobody watches."""


@contextmanager
def progress(label: str, *, total: float = 1.0) -> Iterator[Update]:
    """A bar on standard error: ``update(done, text)``. None where it is no terminal.

    Args:
        label: what is going on.
        total: the value of ``done`` at the end.
    """
    if not sys.stderr.isatty():
        yield _silent
        return
    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.TaskProgressColumn(),
        bars.TimeRemainingColumn(),
        bars.TextColumn("{task.fields[text]}", markup=False),
    )
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total, text="")
        yield lambda done, text: bar.update(task, completed=done, text=text)
