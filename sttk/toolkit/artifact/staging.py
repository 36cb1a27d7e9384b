"""Folders that are written atomically: filled under another name, then renamed into place.

Next to ``NAME`` there may be ``.NAME.PID.RANDOM``, which process PID is still filling or about to
remove, and ``.NAME.PID.RANDOM.old``, the old folder that it moved aside to put a new one in its
place. What a killed process leaves behind is removed by :func:`sweep`.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sttk.toolkit.io.files import is_running

_WORK_NAME = re.compile(r"\.(?P<name>.+)\.(?P<pid>[0-9]+)\.[^.]+(?P<old>\.old)?")
# From linux/fcntl.h and linux/fs.h.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def work_name(final: Path) -> Path:
    """Return an unused path next to ``final`` for its next content.

    The folder is not made yet: a caller that makes it (:func:`make_work`) within the ``try`` that
    removes it leaves none behind, whenever a signal arrives.
    """
    return final.parent / f".{final.name}.{os.getpid()}.{secrets.token_hex(4)}"


def make_work(work: Path) -> None:
    """Make the empty folder ``work``. Raises OSError."""
    work.parent.mkdir(parents=True, exist_ok=True)
    work.mkdir(mode=0o700)


def put_in_place(work: Path, final: Path) -> None:
    """Rename ``work`` to ``final``; a folder of that name is removed.

    Where the system can exchange two names (Linux), ``final`` is always either the old folder or
    the new one. Elsewhere it is missing for a moment; a process that is killed then leaves the old
    folder next to it, and :func:`sweep` restores it. If two processes do this at once, both
    succeed, and the last one's folder stays.

    Raises:
        OSError: the rename failed; ``final`` is unchanged.
    """
    aside: list[Path] = []
    try:
        while not (_renamed(work, final) or exchange(work, final)):
            aside += _moved_aside(final)
    except BaseException:
        if aside and not final.exists():
            aside.pop().replace(final)
        raise
    finally:
        for left in aside:
            shutil.rmtree(left, ignore_errors=True)
    shutil.rmtree(work, ignore_errors=True)  # the old folder, if the two were exchanged


def sweep(folder: Path, is_whole: Callable[[Path], bool]) -> None:
    """Remove from ``folder`` what processes that no longer run left in it.

    An old folder that was moved aside is restored if it is complete and its name is free.
    """
    for left in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = _WORK_NAME.fullmatch(left.name)
        if not match or left.is_symlink() or not left.is_dir() or is_running(int(match["pid"])):
            continue
        if match["old"] and _restored(left, folder / match["name"], is_whole):
            continue
        shutil.rmtree(left, ignore_errors=True)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two names atomically; return False, with no change, where that is impossible."""
    rename = _renameat2()
    if rename is None:
        return False
    paths = os.fsencode(one), os.fsencode(other)
    return bool(rename(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0)


@functools.cache
def _renameat2() -> Any:
    """Return Linux's system call, through the C library; None where there is none."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return None
    path, folder = ctypes.c_char_p, ctypes.c_int
    rename.argtypes = (folder, path, folder, path, ctypes.c_uint)
    return rename


def _renamed(work: Path, final: Path) -> bool:
    """Rename ``work``; return False if ``final`` exists already."""
    try:
        work.rename(final)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True


def _moved_aside(final: Path) -> list[Path]:
    """Move ``final`` aside; return its new path, or nothing if another process was faster."""
    prefix = f".{final.name}.{os.getpid()}."
    old = Path(tempfile.mkdtemp(dir=final.parent, prefix=prefix, suffix=".old"))
    try:
        final.replace(old)
    except FileNotFoundError:
        old.rmdir()
        return []
    return [old]


def _restored(left: Path, final: Path, is_whole: Callable[[Path], bool]) -> bool:
    if final.exists() or not is_whole(left):
        return False
    try:
        left.rename(final)
    except OSError:
        return not final.exists()  # if it is there now, another process was faster
    return True
