"""What an exporter can be told: a dataclass each, which makes flags and the folder's tags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from typing import Any

_KEY = "sttk"


@dataclass(frozen=True)
class Options:
    """The base of each exporter's options; an exporter that can be told nothing has just these."""

    def tags(self) -> list[str]:
        """Return what the artifact's folder says of the options that are not the default."""
        said = ((described(each).tag, each, getattr(self, each.name)) for each in fields(self))
        return [tag(value) for tag, each, value in said if tag and value != each.default]


@dataclass(frozen=True)
class Description:
    """How a field of :class:`Options` is told on the command line, and said in a folder's name.

    Attributes:
        help: the flag's help, in a line.
        tag: from a value that is not the default to a part of the folder's name; None for a field
            that makes no other model.
        flags: the flag's own names, where the field's name does not make it.
        click: what else ``click.option`` is told.
    """

    help: str
    tag: Callable[[Any], str] | None = None
    flags: tuple[str, ...] = ()
    click: tuple[tuple[str, Any], ...] = ()


def option(
    default: Any,
    help: str,  # noqa: A002  (click's own name)
    *flags: str,
    tag: Callable[[Any], str] | None = None,
    **click: Any,
) -> Any:
    """Return a field of a dataclass of options.

    Args:
        default: its value where nobody says another one.
        help: see :class:`Description`.
        flags: see :class:`Description`.
        tag: see :class:`Description`.
        click: what else ``click.option`` is told.
    """
    about = Description(help, tag, flags, tuple(click.items()))
    return field(default=default, metadata={_KEY: about})


def described(each: Field[Any]) -> Description:
    """Return how a field is told and said."""
    about: Description = each.metadata[_KEY]
    return about
