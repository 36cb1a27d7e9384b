"""JSON as every parser reads it."""

from __future__ import annotations

import json
import math
from typing import Any


def dumps(data: Any) -> str:
    """Indented, with sorted keys; NaN and infinity, which JSON has not, become null."""
    return json.dumps(_finite(data), indent=2, sort_keys=True, allow_nan=False)


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
