"""What is wrong with what a command did; nothing, for a good outcome."""

from __future__ import annotations

import re
import signal

from tests.hostile.worker import Ran

CODES = (0, 1, 2, 3)
# Of pictures with as many pixels as are allowed: Pillow's copy and ours, two of them for a moment,
# and what libjpeg keeps of a progressive file.
MOST_MEMORY = 5 << 29
# Where this is all that we can say, the size was not asked about before.
_NO_MEMORY = re.compile(r"^error: out of memory|bad.?alloc")


def faults(ran: Ran) -> list[str]:
    """One word for each; the report says what they mean."""
    told = {
        "traceback": "Traceback (most recent call last)" in ran.stdout + ran.stderr,
        "stderr": ran.code is not None and not _is_told(ran),
        "memory": ran.grown > MOST_MEMORY or bool(_NO_MEMORY.search(ran.stderr)),
        "code ran": ran.ran_code,
        "input changed": ran.changed,
        "left behind": not _is_clean(ran),
    }
    return [*_ended(ran), *(name for name, is_so in told.items() if is_so)]


def _ended(ran: Ran) -> list[str]:
    if ran.hung:
        return ["hang"]
    if ran.code is None:
        return [f"crash {_name(ran.signal)}"]
    return [] if ran.code in CODES else [f"exit {ran.code}"]


def _name(number: int | None) -> str:
    try:
        return signal.Signals(number or 0).name
    except ValueError:
        return str(number)


def _is_told(ran: Ran) -> bool:
    """Nothing on standard error where all went well, else one line."""
    if ran.code == 0:
        return all(line.startswith("note: ") for line in ran.stderr.splitlines())
    # What is guessed of a file is said before what is wrong with it.
    lines = [line for line in ran.stderr.splitlines() if not line.startswith("note: ")]
    return len(lines) == 1 and lines[0].startswith("error: ") and ran.stderr.endswith("\n")


def _is_clean(ran: Ran) -> bool:
    """Results are there if all went well, or in part where that is said, else none; nothing
    temporary is left either way.
    """
    if any(name.startswith("temporary/") or "/." in name for name in ran.left):
        return False
    return ran.code == 0 or not ran.left or ran.stderr.endswith("[incomplete]\n")
