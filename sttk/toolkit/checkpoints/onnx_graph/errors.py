"""Why a graph is no style net, said from where it is found out."""

from __future__ import annotations


class UnreadableError(ValueError):
    """A graph that cannot be read; :func:`read` names the file.

    Args:
        message: what is in the way, in one line.
        fix: what the user can do about it, in one line.
    """

    def __init__(self, message: str, fix: str | None = None) -> None:
        super().__init__(message)
        self.fix = fix


def shown(text: object, most: int = 60) -> str:
    """Words from a file on one line, shortened: they may be anything."""
    plain = ascii(str(text))[1:-1]
    return plain if len(plain) <= most else f"{plain[: most - 3]}..."
