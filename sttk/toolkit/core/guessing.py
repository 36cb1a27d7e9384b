"""Who hears of guesses: whatever reads a file calls :func:`say`, and a command listens.

A command prints each guess once, or refuses it (``--strict``). Without a listener nothing is
printed: a program reads :attr:`Origin.guesses`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sttk.toolkit.core.convention import Guess

# Called with the net's name, the guesses as text, and what the user can choose instead.
Listener = Callable[[str, Sequence[str], Sequence[str]], None]

_listeners: list[Listener] = []


class GuessWarning(UserWarning):
    """A net was loaded of which something was guessed; from Python alone."""


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have ``listener`` called for guesses, in place of those before it."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def say(name: str, guesses: Sequence[Guess | str]) -> None:
    """Tell the listener what was guessed of a net.

    Raises:
        UsageError: the listener accepts no guesses.
    """
    if guesses and _listeners:
        choices = [guess.choices for guess in guesses if isinstance(guess, Guess) and guess.choices]
        _listeners[-1](name, [str(guess) for guess in guesses], choices)
