"""Snapshots of a net while it is trained, each with its preview, to choose the best from."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sttk.toolkit.io.text import file_name

NET_SUFFIX, PREVIEW_SUFFIX = ".safetensors", ".png"
# A Johnson net takes 3.4 MB and its preview 0.9 MB: 430 MB in all.
MOST = 100
_OURS = re.compile(r".+-step-\d{6,}\.(safetensors|png)")


@dataclass
class Snapshots:
    """The snapshots of a run: the last ``MOST`` of them, all below one folder.

    Attributes:
        folder: the folder of the snapshots.
        names: the stems of the files of this run's snapshots, the oldest first.
    """

    folder: Path
    names: list[str] = field(default_factory=list)

    def add(self, style: str, step: int, write: Callable[[Path, Path], None]) -> None:
        """Write a snapshot, and remove the oldest beyond ``MOST``.

        Args:
            style: the name of the style, which begins the names of the files.
            step: the step after which the snapshot is taken.
            write: writes the net and the preview to the two paths, in this order.
        """
        stem = f"{file_name(style)}-step-{step:06d}"
        write(self._path(stem, NET_SUFFIX), self._path(stem, PREVIEW_SUFFIX))
        self.names = [*(name for name in self.names if name != stem), stem]
        for old in self.names[:-MOST]:
            for suffix in (NET_SUFFIX, PREVIEW_SUFFIX):
                self._path(old, suffix).unlink(missing_ok=True)
        self.names = self.names[-MOST:]

    def sweep(self) -> None:
        """Remove the snapshots of an earlier run, and what a killed one left unfinished."""
        for path in self.folder.glob("*"):
            if _OURS.fullmatch(path.name) and path.stem not in self.names and path.is_file():
                path.unlink()

    def _path(self, stem: str, suffix: str) -> Path:
        return self.folder / f"{stem}{suffix}"
