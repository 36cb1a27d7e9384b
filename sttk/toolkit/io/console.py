"""What commands print: tables and JSON on standard output, progress on standard error."""

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


def _lines(label: str, total: float, seconds: float) -> Update:
    """For logs: a line now and then."""
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
    """A bar on standard error: ``update(done, text)``.

    Args:
        label: what is going on.
        total: the value of ``done`` at the end.
        line_seconds: where standard error is no terminal, between two lines; None for no line.
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
