"""The flags that targets bring to ``sttk export``: a flag for each field of their options."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from sttk.exporters import exporter, names
from sttk.exporters.options import Options, described
from sttk.toolkit.core.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


def target_options(command: F) -> F:
    """Give a command each target's flags, each once, as keyword arguments by the fields' names."""
    wrapped: Any = command
    for name, each in reversed(_fields().items()):
        about = described(each)
        owners = [target for target in names() if _reads(target, name)]
        owner = f"{owners[0]}: " if len(owners) == 1 else ""
        flags = about.flags or (f"--{name.replace('_', '-')}",)
        more = dict(about.click)
        add = click.option(*flags, name, default=each.default, help=owner + about.help, **more)
        wrapped = add(wrapped)
    decorated: F = wrapped
    return decorated


def given(
    context: click.Context, named: Sequence[str], values: dict[str, Any]
) -> dict[str, Options]:
    """Return the options of each target that is exported to.

    Args:
        context: the command's context, which knows what was given and what is a default.
        named: the targets.
        values: the flags' values by the names of the fields.

    Raises:
        UsageError: an option was given that none of these targets reads.
    """
    default = click.core.ParameterSource.DEFAULT
    flags = {str(option.name): option.opts[-1] for option in context.command.params}
    for name in values:
        unread = not any(_reads(target, name) for target in named)
        if unread and context.get_parameter_source(name) is not default:
            raise UsageError(f"{flags[name]} is not an option of {', '.join(named)}")
    return {
        target: exporter(target).options(
            **{name: value for name, value in values.items() if _reads(target, name)}
        )
        for target in named
    }


def _fields() -> dict[str, dataclasses.Field[Any]]:
    every = [dataclasses.fields(exporter(target).options) for target in names()]
    return {each.name: each for of_target in every for each in of_target}


def _reads(target: str, name: str) -> bool:
    return name in {each.name for each in dataclasses.fields(exporter(target).options)}
