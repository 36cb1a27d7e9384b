"""Choices in a file that holds several styles: ``x.onnx#style=3``. This imports no torch."""

from __future__ import annotations

from pathlib import Path

SUFFIX = ".onnx"  # the only kind of checkpoint that offers choices


def split_choices(reference: str | Path) -> tuple[Path, str]:
    """Split a reference into the file and the choices after ``#``, empty if there are none."""
    file, _, choices = str(reference).rpartition("#")
    chosen = file.lower().endswith(SUFFIX) and not Path(reference).exists()
    return (Path(file), choices) if chosen else (Path(reference), "")
