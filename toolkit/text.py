"""Text for terminals."""

from __future__ import annotations


def printable(text: str) -> str:
    """Without control characters, which a name in a file could send to the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
