"""The options of exporters: a dataclass each, from which flags and folder tags are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from typing import Any

_KEY = "sttk"


@dataclass(frozen=True)
class Options:
    """The base class of exporters' options, and the options of an exporter that has none."""

    def tags(self) -> list[str]:
        """Return the parts of the folder's name for the options that are not the default."""
        said = ((described(each).tag, each, getattr(self, each.name)) for each in fields(self))
        return [tag(value) for tag, each, value in said if tag and value != each.default]


@dataclass(frozen=True)
class Description:
    """The command-line flag of a field of :class:`Options`, and its part of a folder's name.

    Attributes:
        help: the flag's help, in one line.
        tag: a function from a value that is not the default to a part of the folder's name; None
            for a field that does not change the model.
        flags: the flag's names, if they are not made from the field's name.
        click: further arguments of ``click.option``.
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
        default: the field's default value.
        help: see :class:`Description`.
        flags: see :class:`Description`.
        tag: see :class:`Description`.
        click: further arguments of ``click.option``.
    """
    about = Description(help, tag, flags, tuple(click.items()))
    return field(default=default, metadata={_KEY: about})


def described(each: Field[Any]) -> Description:
    """Return the description of a field."""
    about: Description = each.metadata[_KEY]
    return about
