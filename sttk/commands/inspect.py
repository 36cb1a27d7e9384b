"""``sttk inspect``."""

from __future__ import annotations

from pathlib import Path

import click

from sttk.commands.options import json_option
from sttk.workflows.guesses import strict_option


@click.command(short_help="Show what a file or an artifact is.")
@click.argument("path", type=click.Path(path_type=Path))
@strict_option
@json_option
def inspect(path: Path, as_json: bool) -> None:
    """Show what PATH is: an artifact folder, a model file or package, a checkpoint or a style.

    For a model: inputs, outputs, precision and operations. For a checkpoint: layout, widths,
    contract and card. Long lists are shortened; --json prints them whole. Nothing is run.
    """
    from sttk.toolkit.io.console import print_json
    from sttk.toolkit.opened.inspect import inspect as look
    from sttk.toolkit.opened.inspect import lines

    facts = look(path)
    if as_json:
        print_json(facts)
    else:
        for line in lines(facts):
            click.echo(line)
