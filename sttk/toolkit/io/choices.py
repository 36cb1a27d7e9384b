"""Choices in a file that holds several styles: ``x.onnx#style=3``. This imports no torch."""

from __future__ import annotations

import re
from pathlib import Path

SUFFIX = ".onnx"  # a file of this kind need not exist for its choices to be split off
_BEGINNING = re.compile(r"[a-z]+=")


def split_choices(reference: str | Path) -> tuple[Path, str]:
    """Split a reference into the file and the choices after ``#``, empty if there are none."""
    file, _, choices = str(reference).rpartition("#")
    is_one = bool(_BEGINNING.match(choices)) or file.lower().endswith(SUFFIX)
    chosen = bool(file) and is_one and not Path(reference).exists()
    return (Path(file), choices) if chosen else (Path(reference), "")
