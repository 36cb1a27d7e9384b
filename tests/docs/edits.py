"""The edits that a page of docs/extend describes, made in a copy of the package, and counted."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from tests.docs import pages

PACKAGE = "sttk"
# An example that needs what another page adds.
GOES_ON_FROM = {"extend/target.md": ("extend/runtime.md",)}


@dataclass(frozen=True)
class Changes:
    """What a copy of the package has that the package has not.

    Attributes:
        new: paths of new files.
        lines: lines added and removed, by the paths of changed files.
    """

    new: set[str]
    lines: dict[str, tuple[int, int]]


def edit(block: pages.Block, packages: Path, folder: Path) -> None:
    """Write or change a file of the copied package; anything else lies where commands run."""
    assert block.file
    how, path = block.file
    inside = path.split("/")[0] == PACKAGE
    assert not (inside and packages == pages.ROOT)
    file = (packages if inside else folder) / path
    if how == "In":
        assert block.tag == "diff"
        text = file.read_text(encoding="utf-8")
        file.write_text(pages.change(text, block.text), encoding="utf-8")
    else:
        assert not file.exists(), f"{path} is there"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text, encoding="utf-8")


def edit_as_before(name: str, packages: Path, folder: Path) -> None:
    """Make the edits of the pages that this one goes on from."""
    for earlier in GOES_ON_FROM.get(name, ()):
        edit_all(earlier, packages, folder)


def edit_all(name: str, packages: Path, folder: Path) -> None:
    """Make all edits of a page, and run nothing."""
    edit_as_before(name, packages, folder)
    for block in pages.blocks(pages.read(name)):
        if block.file:
            edit(block, packages, folder)


def changes(packages: Path) -> Changes:
    """Compare the copied package with the package."""
    before, after = _texts(pages.ROOT), _texts(packages)
    assert set(before) <= set(after)
    return Changes(
        set(after) - set(before),
        {path: _lines(text, after[path]) for path, text in before.items() if text != after[path]},
    )


def _texts(root: Path) -> dict[str, bytes]:
    files = (path for path in (root / PACKAGE).rglob("*") if path.is_file())
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in files
        if "__pycache__" not in path.parts
    }


def _lines(before: bytes, after: bytes) -> tuple[int, int]:
    found = list(difflib.ndiff(*(text.decode().splitlines() for text in (before, after))))
    added, removed = (sum(line.startswith(f"{sign} ") for line in found) for sign in "+-")
    return added, removed
