"""Folders that are whole or not there: made beside, put in place in one step, swept after a kill.

Beside ``NAME`` may lie ``.NAME.PID.RANDOM``, which process PID is still filling or about to remove,
and ``.NAME.PID.RANDOM.old``, which it has moved aside to put a new ``NAME`` in its place.
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

_BESIDE = re.compile(r"\.(?P<name>.+)\.(?P<pid>[0-9]+)\.[^.]+(?P<old>\.old)?")
# From linux/fcntl.h and linux/fs.h.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def work_name(final: Path) -> Path:
    """A name beside ``final`` for its next content, that nothing has.

    It is known before there is such a folder: who makes it (:func:`make_work`) within the ``try``
    that removes it leaves none behind, whenever a signal arrives.
    """
    return final.parent / f".{final.name}.{os.getpid()}.{secrets.token_hex(4)}"


def make_work(work: Path) -> None:
    """Make the empty folder of this name. Raises OSError."""
    work.parent.mkdir(parents=True, exist_ok=True)
    work.mkdir(mode=0o700)


def put_in_place(work: Path, final: Path) -> None:
    """Give ``work`` the name ``final``; a folder that has it is removed.

    Where the system can exchange two names (Linux), ``final`` is the old folder or the new one at
    every moment. Elsewhere it is missing for a moment; who is killed in it leaves the old folder
    beside, and :func:`sweep` brings it back. Two processes that do this at once both succeed, and
    the last one's folder stays.

    Raises:
        OSError: it cannot be done; ``final`` is what it was.
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
    """Clear ``folder`` of what processes that are gone left in it.

    An old folder that was moved aside comes back, if it is whole and nothing has its name.
    """
    for left in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = _BESIDE.fullmatch(left.name)
        if not match or left.is_symlink() or not left.is_dir() or is_running(int(match["pid"])):
            continue
        if match["old"] and _brought_back(left, folder / match["name"], is_whole):
            continue
        shutil.rmtree(left, ignore_errors=True)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; False where that cannot be done, and nothing happened."""
    rename = _renameat2()
    if rename is None:
        return False
    paths = os.fsencode(one), os.fsencode(other)
    return bool(rename(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0)


@functools.cache
def _renameat2() -> Any:
    """Linux's system call, through the C library; None where there is none."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return None
    path, folder = ctypes.c_char_p, ctypes.c_int
    rename.argtypes = (folder, path, folder, path, ctypes.c_uint)
    return rename


def _renamed(work: Path, final: Path) -> bool:
    """False if something has the name already."""
    try:
        work.rename(final)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True


def _moved_aside(final: Path) -> list[Path]:
    """Where ``final`` is now; nowhere, if another process was faster."""
    prefix = f".{final.name}.{os.getpid()}."
    old = Path(tempfile.mkdtemp(dir=final.parent, prefix=prefix, suffix=".old"))
    try:
        final.replace(old)
    except FileNotFoundError:
        old.rmdir()
        return []
    return [old]


def _brought_back(left: Path, final: Path, is_whole: Callable[[Path], bool]) -> bool:
    if final.exists() or not is_whole(left):
        return False
    try:
        left.rename(final)
    except OSError:
        return not final.exists()  # if it is there now, another process was faster
    return True
