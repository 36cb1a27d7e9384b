"""Standard error as libraries of C and C++ see it: they write to the process's own, past Python."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Around what raises what is wrong, and prints it, too: one line is what a user is promised.

    Of the whole process, so other threads are quiet for as long.
    """
    try:
        kept = os.dup(2)
    except OSError:  # closed: nothing to keep quiet
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
