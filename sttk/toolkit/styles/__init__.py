"""The styles that the package ships, and the one way from a word on a command line to a net."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.io.choices import split_choices

if TYPE_CHECKING:
    from sttk.toolkit.core.style_net import StyleNet

DEFAULT = "ink"
_PREFIX = "style:"
_SMALL = "-mobile-"


def folder() -> Path:
    """Where the shipped nets lie."""
    return Path(str(resources.files(__name__)))


def names() -> list[str]:
    """Shipped styles, the default first, those of mobile nets last."""
    found = [file.stem for file in folder().glob("*.safetensors")]
    return sorted(found, key=lambda name: (_SMALL in name, name != DEFAULT, name))


def small_names() -> list[str]:
    """Those of the shipped styles that are of mobile nets, such as ``ink-mobile-m``."""
    return [name for name in names() if _SMALL in name]


def full_names() -> list[str]:
    """Those that are of Johnson nets."""
    return [name for name in names() if _SMALL not in name]


def small_of(reference: str) -> list[str]:
    """The mobile nets of a shipped style, named as for :func:`find`; of anything else none."""
    if not reference.startswith(_PREFIX):
        return []
    full = reference.removeprefix(_PREFIX)
    return [name for name in small_names() if name.startswith(f"{full}{_SMALL}")]


def small_of_each() -> list[str]:
    """One mobile net of each shipped style that has any, the default's first."""
    return [small[0] for full in full_names() if (small := small_of(f"{_PREFIX}{full}"))]


def locate(reference: str) -> Path | None:
    """Where a shipped style or a checkpoint lies, named as for :func:`find`; None if nowhere."""
    name = reference.removeprefix(_PREFIX)
    path = folder() / f"{name}.safetensors" if name in names() else split_choices(reference)[0]
    return path if path.exists() else None


def find(reference: str) -> StyleNet:
    """A shipped style by its name (``ink`` or ``style:ink``), else a checkpoint by its path.

    Raises:
        CheckpointError: neither, or the file cannot be read.
    """
    # Imports torch, which listing names does not need.
    from sttk.toolkit.checkpoints import load  # noqa: PLC0415

    name = reference.removeprefix(_PREFIX)
    if name in names():
        return load(folder() / f"{name}.safetensors", name=name, source=f"{_PREFIX}{name}")
    if not split_choices(reference)[0].exists():
        raise CheckpointError(
            f"{reference}: neither a shipped style ({', '.join(names())}) nor a file"
        )
    return load(reference)
