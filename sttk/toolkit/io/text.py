"""Text for terminals."""

from __future__ import annotations

import re


def printable(text: str) -> str:
    """Without control characters, which a name in a file could send to the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def file_name(text: str) -> str:
    """``text`` as the name of a file on any system: letters, digits, ``.``, ``_`` and ``-``."""
    name = re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-.")
    return name[-120:] or "unnamed"
