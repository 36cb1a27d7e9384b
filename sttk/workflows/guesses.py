"""What a command does with a guess: it prints each once or, with ``--strict``, refuses it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.io.text import printable

_STRICT = "sttk.strict"
_ALL = "#input=..., output=..., channels=..., norm=..."


def _set(context: click.Context, _: click.Parameter, strict: bool) -> None:
    context.meta[_STRICT] = strict


strict_option = click.option(
    "--strict",
    is_flag=True,
    expose_value=False,
    callback=_set,
    help="Refuse a checkpoint of which something is guessed.",
)


class Guesses:
    """The listener of one command (:func:`sttk.toolkit.core.guessing.listening`)."""

    def __init__(self, context: click.Context) -> None:
        self._meta = context.meta  # which the contexts of its commands share
        self._said: set[tuple[str, ...]] = set()

    def __call__(self, name: str, guesses: Sequence[str], choices: Sequence[str]) -> None:
        """Print the guesses of a net in one line to standard error, once.

        Raises:
            UsageError: the command is strict.
        """
        line = printable(f"{name}: {'; '.join(guesses)}")
        if self._meta.get(_STRICT):
            fix = f"say it behind the file's name: #{','.join(choices)}" if choices else None
            raise UsageError(line, fix=fix or "export it again from a checkpoint with choices")
        key = (name, *guesses)
        if key not in self._said:
            self._said.add(key)
            click.echo(f"note: {line}; {_ALL} behind the file's name says it", err=True)
