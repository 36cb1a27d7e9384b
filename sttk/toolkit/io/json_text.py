"""Strict JSON, which every parser reads."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sttk.toolkit.io.files import read_bounded

# sttk's own documents are 6 levels deep. Python only bounds the depth of calls, which copying and
# printing exceed before parsing does.
MOST_DEPTH = 50


def dumps(data: Any) -> str:
    """Return indented JSON with sorted keys; NaN and infinity, which JSON lacks, become null."""
    return json.dumps(_finite(data), indent=2, sort_keys=True, allow_nan=False)


def loads(raw: bytes | str) -> Any:
    """Parse an untrusted JSON document.

    Raises:
        ValueError: it is not JSON, or is nested deeper than ``MOST_DEPTH``.
    """
    try:
        data = json.loads(raw)
    except RecursionError as error:
        raise ValueError(f"nested deeper than {MOST_DEPTH}") from error
    containers = _containers([data])
    for _ in range(MOST_DEPTH):
        containers = _containers(value for each in containers for value in _values(each))
    if containers:
        raise ValueError(f"nested deeper than {MOST_DEPTH}")
    return data


def read_json(path: Path, most: int) -> Any:
    """Read an untrusted JSON file, bounded in size and in depth.

    Args:
        path: the file.
        most: the most bytes that it may have.

    Raises:
        ValueError: it is not a regular file, is larger, is not JSON, or is too deeply nested.
        OSError: it does not exist, or cannot be read.
    """
    return loads(read_bounded(path, most))


def _containers(values: Iterable[Any]) -> list[Any]:
    """Return the values that are lists or objects."""
    return [value for value in values if isinstance(value, dict | list)]


def _values(container: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
