"""Silencing of C and C++ libraries, which write to the process's standard error past Python."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Silence the process's standard error within the block.

    It is for code that raises an error and prints it too, where the user is promised one line.
    Other threads are silenced as well.
    """
    try:
        kept = os.dup(2)
    except OSError:  # closed: nothing to silence
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


@contextlib.contextmanager
def quiet_library() -> Iterator[None]:
    """Silence a library that prints, warns, logs and writes past Python within the block.

    Errors that it raises are not affected.
    """
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            quiet_stderr(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
