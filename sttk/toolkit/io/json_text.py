"""JSON as every parser reads it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sttk.toolkit.io.files import read_bounded

# Ours are 6 deep. Python's own bound is on the depth of calls, which copying and printing reach
# before reading does.
MOST_DEPTH = 50


def dumps(data: Any) -> str:
    """Indented, with sorted keys; NaN and infinity, which JSON has not, become null."""
    return json.dumps(_finite(data), indent=2, sort_keys=True, allow_nan=False)


def loads(raw: bytes | str) -> Any:
    """The inverse of :func:`dumps`, of an untrusted document.

    Raises:
        ValueError: not JSON, or lists and objects in each other deeper than ``MOST_DEPTH``.
    """
    try:
        data = json.loads(raw)
    except RecursionError as error:
        raise ValueError(f"nested deeper than {MOST_DEPTH}") from error
    holders = _holders([data])
    for _ in range(MOST_DEPTH):
        holders = _holders(value for holder in holders for value in _held(holder))
    if holders:
        raise ValueError(f"nested deeper than {MOST_DEPTH}")
    return data


def read_json(path: Path, most: int) -> Any:
    """Read an untrusted JSON file: bounded in size and in depth.

    Args:
        path: the file.
        most: bytes that it may have.

    Raises:
        ValueError: it is no regular file, larger, not JSON, or too deeply nested.
        OSError: it is not there, or cannot be read.
    """
    return loads(read_bounded(path, most))


def _holders(values: Iterable[Any]) -> list[Any]:
    """Those that are lists or objects."""
    return [value for value in values if isinstance(value, dict | list)]


def _held(holder: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return holder.values() if isinstance(holder, dict) else holder


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
