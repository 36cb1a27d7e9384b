"""JSON as every parser reads it."""

from __future__ import annotations

import json
import math
from typing import Any

# Ours are 6 deep. Python's own bound is on the depth of calls, which copying and printing reach
# before reading does.
MOST_DEPTH = 50


def dumps(data: Any) -> str:
    """Indented, with sorted keys; NaN and infinity, which JSON has not, become null."""
    return json.dumps(_finite(data), indent=2, sort_keys=True, allow_nan=False)


def loads(raw: bytes) -> Any:
    """The inverse of :func:`dumps`, of an untrusted document.

    Raises:
        ValueError: not JSON, or lists and objects in each other deeper than ``MOST_DEPTH``.
    """
    try:
        data = json.loads(raw)
    except RecursionError as error:
        raise ValueError(f"nested deeper than {MOST_DEPTH}") from error
    level = [data]
    for _ in range(MOST_DEPTH):
        if not level:
            return data
        level = [value for holder in level for value in _held(holder)]
    raise ValueError(f"nested deeper than {MOST_DEPTH}")


def _held(value: Any) -> Any:
    """What a list or an object holds."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
