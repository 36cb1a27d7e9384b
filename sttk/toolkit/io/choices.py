"""What is chosen in a file that holds several styles: ``x.onnx#style=3``. Imports no torch."""

from __future__ import annotations

from pathlib import Path

SUFFIX = ".onnx"  # the only kind of checkpoint that leaves a choice


def split_choices(reference: str | Path) -> tuple[Path, str]:
    """The file, and what is chosen in it behind ``#``."""
    file, _, choices = str(reference).rpartition("#")
    chosen = file.lower().endswith(SUFFIX) and not Path(reference).exists()
    return (Path(file), choices) if chosen else (Path(reference), "")
