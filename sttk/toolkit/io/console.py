"""Output of commands: tables and JSON on standard output, progress on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich import progress as bars
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sttk.toolkit.io.json_text import dumps

Update = Callable[[float, str], None]


def print_json(data: Any) -> None:
    """Print one JSON document to standard output."""
    click.echo(dumps(data))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table that fits the terminal; columns after the first are right-aligned."""
    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*map(Text, row))  # not markup: names may hold brackets
    Console(highlight=False).print(table)


def _silent(done: float, text: str) -> None:
    """Report nothing, where standard error is not a terminal."""


def _lines(label: str, total: float, seconds: float) -> Update:
    """Return an update that prints a line at most every ``seconds``, for logs."""
    last = time.monotonic()

    def update(done: float, text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            click.echo(f"{label} {done / total:.0%}  {text}", err=True)

    return update


@contextmanager
def progress(
    label: str, *, total: float = 1.0, line_seconds: float | None = None
) -> Iterator[Update]:
    """Show a progress bar on standard error, and yield its callback ``update(done, text)``.

    Args:
        label: the bar's label.
        total: the value of ``done`` at the end.
        line_seconds: the seconds between two lines where standard error is not a terminal; None for
            no lines.
    """
    if not sys.stderr.isatty():
        yield _silent if line_seconds is None else _lines(label, total, line_seconds)
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
