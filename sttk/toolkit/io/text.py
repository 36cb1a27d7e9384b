"""Text that is safe for terminals and file names."""

from __future__ import annotations

import re


def printable(text: str) -> str:
    """Escape control characters, which a name in a file could send to the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def file_name(text: str) -> str:
    """Return a file name for any system: letters, digits, ``.``, ``_`` and ``-``."""
    name = re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-.")
    return name[-120:] or "unnamed"
