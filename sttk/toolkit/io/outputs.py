"""Files for results, as the user names them: looked at before the work, written after it."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.io.files import write_atomic

# Names of streams that are open already; with a redirection behind them they look like files.
_STREAM = re.compile(r"/dev/(stdout|stderr|fd/[0-9]+)|/proc/[^/]+/fd/[0-9]+")


def check_outputs(paths: Iterable[Path]) -> None:
    """See, before the work, that results can be written; missing folders are made.

    Raises:
        UsageError: one of the paths cannot be written, or two of them are one.
    """
    seen: set[Path] = set()
    for path in paths:
        check_output(path)
        if path.absolute() in seen:
            raise UsageError(f"{path}: named for two results")
        seen.add(path.absolute())


def check_output(path: Path) -> None:
    """See that a file can be written under this name. Raises UsageError."""
    if path.is_dir():
        raise UsageError(f"{path}: is a folder", fix="name a file")
    if _is_special(path):
        if not os.access(path, os.W_OK):
            raise UsageError(f"{path}: cannot be written")
        return
    check_folder(path.parent)


def check_new(path: Path, *, force: bool, source: Path | None = None) -> None:
    """See that nothing is lost by writing there.

    Args:
        path: for which :func:`check_output` had no objection.
        force: a file that is there may be replaced.
        source: what is read at the same time; it may be replaced by nobody.

    Raises:
        UsageError: something is lost.
    """
    if not path.exists() or _is_special(path):
        return
    if source is not None and source.exists() and path.samefile(source):
        raise UsageError(f"{path}: is the input, too", fix="name another output")
    if not force:
        raise UsageError(f"{path}: is there already", fix="pass --force to replace it")


def check_folder(folder: Path) -> None:
    """Make a folder, and see that files can be made in it. Raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}") from error


def write_output(path: Path, text: str, *, append: bool = False) -> None:
    """Write beside ``path`` and rename; what is no file, such as a pipe, is written into.

    Args:
        path: for which :func:`check_output` had no objection.
        text: as UTF-8; what Unicode has not becomes a question mark.
        append: keep what the file holds.

    Raises:
        OSError: the disk is full, or who read the pipe has gone.
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
