"""What a checkpoint of no known layout is nearest to, and what is wrong with one that is broken."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sttk.toolkit.checkpoints.layout import Layout, Tensors
from sttk.toolkit.io.text import printable

# Below this share of its keys, a file that is like a layout is so by chance: every other net has
# a ``conv1.weight``.
_LEAST_SHARE = 0.25
_LONGEST = 60
_MISMATCH = re.compile(
    r"size mismatch for (\S+): copying a param with shape torch\.Size\(\[([\d, ]*)\]\).*?"
    r"is torch\.Size\(\[([\d, ]*)\]\)"
)
_LACKING = re.compile(r'Missing key\(s\) in state_dict: "([^"]+)"')


@dataclass(frozen=True)
class Near:
    """A layout that a file resembles.

    Attributes:
        layout: the layout.
        strangers: the file's keys that the layout does not have, in the file's order.
        count: the number of all keys in the file.
    """

    layout: Layout
    strangers: tuple[str, ...]
    count: int

    def __str__(self) -> str:
        """Return what the file shares with the layout, and the first key that does not fit."""
        name, fit = self.layout.NAME, self.count - len(self.strangers)
        if not self.strangers:
            return f"all its keys are of {name}, which needs others, or other shapes, too"
        return f"nearest is {name}: {fit} of {self.count} keys fit, not {shown(self.strangers[0])}"


def near(layout: Layout, state: Tensors) -> Near:
    """Compare a file's keys with those that a layout's ``KEYS`` allows; without it, all fit."""
    allowed: re.Pattern[str] | None = getattr(layout, "KEYS", None)
    strangers = (key for key in state if allowed and not allowed.fullmatch(key))
    return Near(layout, tuple(strangers), len(state))


def nearest(layouts: Iterable[Layout], state: Tensors) -> Near | None:
    """Return the layout that allows most of a file's keys, or None if none allows a fair share."""
    known = [near(layout, state) for layout in layouts if hasattr(layout, "KEYS")]
    best = min(known, key=lambda each: len(each.strangers), default=None)
    if best is None or not state or len(best.strangers) > (1 - _LEAST_SHARE) * len(state):
        return None
    return best


def reason(error: Exception) -> str:
    """Return why a layout's net could not be built, without the words of torch and Python."""
    text = " ".join(str(error.args[0] if error.args else error).split())
    if mismatch := _MISMATCH.search(text):
        key, has, needs = mismatch.groups()
        return f"{shown(key)} is {_shape(has)}, and the rest of the net needs {_shape(needs)}"
    if lacking := _LACKING.search(text):
        return f"it lacks {shown(lacking[1])}"
    if isinstance(error, KeyError) and " " not in text:
        return f"it lacks {shown(text)}"
    return printable(text[:200])


def shown(key: str) -> str:
    """Return a key on one short line."""
    key = printable(key)
    return key if len(key) <= _LONGEST else f"{key[: _LONGEST - 3]}..."


def _shape(sizes: str) -> str:
    return sizes.replace(", ", "x") or "one number"
