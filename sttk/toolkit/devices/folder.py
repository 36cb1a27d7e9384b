"""The folder in which devices keep what was installed for them."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "STTK_DEVICES"


def folder() -> Path:
    """Return ``STTK_DEVICES``, else a folder in the user's cache; it need not exist."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "sttk" / "devices"
