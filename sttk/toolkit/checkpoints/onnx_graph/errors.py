"""The error for graphs that cannot be read as a style net."""

from __future__ import annotations


class UnreadableError(ValueError):
    """A graph cannot be read. :func:`read` adds the file's name.

    Args:
        message: what prevents it, in one line.
        fix: what the user can do about it, in one line.
    """

    def __init__(self, message: str, fix: str | None = None) -> None:
        super().__init__(message)
        self.fix = fix


def shown(text: object, most: int = 60) -> str:
    """Format text from a file, which may be anything, on one short line."""
    plain = ascii(str(text))[1:-1]
    return plain if len(plain) <= most else f"{plain[: most - 3]}..."
