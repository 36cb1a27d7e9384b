"""Output files that the user names: checked before the work, written after it."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.io.files import write_atomic

# Names of streams that are already open; if redirected, they look like files.
_STREAM = re.compile(r"/dev/(stdout|stderr|fd/[0-9]+)|/proc/[^/]+/fd/[0-9]+")


def check_outputs(paths: Iterable[Path]) -> None:
    """Check, before the work, that results can be written; missing folders are created.

    Raises:
        UsageError: one of the paths cannot be written, or two of them are the same.
    """
    seen: set[Path] = set()
    for path in paths:
        check_output(path)
        if path.absolute() in seen:
            raise UsageError(f"{path}: named for two results")
        seen.add(path.absolute())


def check_output(path: Path) -> None:
    """Raise UsageError if no file can be written under this name."""
    if path.is_dir():
        raise UsageError(f"{path}: is a folder", fix="name a file")
    if _is_special(path):
        if not os.access(path, os.W_OK):
            raise UsageError(f"{path}: cannot be written")
        return
    check_folder(path.parent)


def check_new(path: Path, *, force: bool, source: Path | None = None) -> None:
    """Check that writing there overwrites nothing.

    Args:
        path: the output, which :func:`check_output` has accepted.
        force: whether an existing file may be replaced.
        source: the input that is read at the same time, which may never be replaced.

    Raises:
        UsageError: something would be overwritten.
    """
    if not path.exists() or _is_special(path):
        return
    if source is not None and source.exists() and path.samefile(source):
        raise UsageError(f"{path}: is the input, too", fix="name another output")
    if not force:
        raise UsageError(f"{path}: is there already", fix="pass --force to replace it")


def check_folder(folder: Path) -> None:
    """Create a folder; raise UsageError if that fails or no file can be created in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}") from error


def write_output(path: Path, text: str, *, append: bool = False) -> None:
    """Write a file atomically, or write into something that is not a file, such as a pipe.

    Args:
        path: the output, which :func:`check_output` has accepted.
        text: the text, written as UTF-8; what cannot be encoded becomes a question mark.
        append: whether to keep the file's content.

    Raises:
        OSError: the disk is full, or the reader of the pipe has gone.
    """
    data = text.encode("utf-8", "replace")
    if _is_special(path):
        with path.open("ab") as stream:
            stream.write(data)
        return
    before = path.read_bytes() if append and path.exists() else b""
    write_atomic(path, before + data)


def _is_special(path: Path) -> bool:
    if _STREAM.fullmatch(str(path)):
        return True
    return path.exists() and not path.is_file()
