"""What a program costs to start, in units of what Python costs to start on the same machine."""

from __future__ import annotations

import resource
import subprocess
import sys


def starts(program: str, runs: int = 3) -> float:
    """By how many times an empty program's processor time is less than this one's.

    The least of a few runs, taken in turns: a slow processor and busy neighbours are in both.
    Asserts that the program ends well.
    """
    bare, full = [], []
    for _ in range(runs):
        bare.append(_processor_seconds("pass"))
        full.append(_processor_seconds(program))
    return min(full) / min(bare)


def _processor_seconds(program: str) -> float:
    """Of the one process that is waited for: other tests that run meanwhile do not count."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
