"""The shipped styles, and the lookup of nets by the names used on the command line."""

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
    """Return the folder of the shipped nets."""
    return Path(str(resources.files(__name__)))


def names() -> list[str]:
    """Return the names of the shipped styles, the default first, mobile nets last."""
    found = [file.stem for file in folder().glob("*.safetensors")]
    return sorted(found, key=lambda name: (_SMALL in name, name != DEFAULT, name))


def small_names() -> list[str]:
    """Return the names of the shipped mobile nets, such as ``ink-mobile-m``."""
    return [name for name in names() if _SMALL in name]


def full_names() -> list[str]:
    """Return the names of the shipped Johnson nets."""
    return [name for name in names() if _SMALL not in name]


def small_of(reference: str) -> list[str]:
    """Return the names of a shipped style's mobile nets; empty for anything else.

    Args:
        reference: the style, named as for :func:`find`, with the prefix ``style:``.
    """
    if not reference.startswith(_PREFIX):
        return []
    full = reference.removeprefix(_PREFIX)
    return [name for name in small_names() if name.startswith(f"{full}{_SMALL}")]


def small_of_each() -> list[str]:
    """Return one mobile net of each shipped style that has any, the default's first."""
    return [small[0] for full in full_names() if (small := small_of(f"{_PREFIX}{full}"))]


def locate(reference: str) -> Path | None:
    """Return the path of a style or checkpoint named as for :func:`find`; None if it is missing."""
    name = reference.removeprefix(_PREFIX)
    path = folder() / f"{name}.safetensors" if name in names() else split_choices(reference)[0]
    return path if path.exists() else None


def find(reference: str) -> StyleNet:
    """Load a shipped style by its name (``ink`` or ``style:ink``), or a checkpoint by its path.

    Raises:
        CheckpointError: there is no such style or file, or the file cannot be read.
    """
    # Imported late because it imports torch, which listing the names does not need.
    from sttk.toolkit.checkpoints import load  # noqa: PLC0415

    name = reference.removeprefix(_PREFIX)
    if name in names():
        return load(folder() / f"{name}.safetensors", name=name, source=f"{_PREFIX}{name}")
    if not split_choices(reference)[0].exists():
        raise CheckpointError(
            f"{reference}: neither a shipped style ({', '.join(names())}) nor a file"
        )
    return load(reference)
