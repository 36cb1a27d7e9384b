"""Ctrl-C and SIGTERM as a request to stop soon, for work whose partial result is worth keeping."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Some senders, such as timeout(1), send SIGTERM twice: to the process and to its group.
ONE_SIGNAL = 5.0  # seconds


class Wish(threading.Event):
    """An event that the first stop signal sets.

    Attributes:
        number: the signal's number; 0 before one has arrived.
    """

    def __init__(self) -> None:
        super().__init__()
        self._handler: Any = None
        self.number = 0

    def come(self, number: int, handler: Any) -> None:
        """Record a signal and its previous handler, and set the event."""
        self.number, self._handler = number, handler
        self.set()

    def obey(self) -> None:
        """Call the signal's previous handler, and raise KeyboardInterrupt if it returns."""
        if callable(self._handler):
            self._handler(self.number, None)
        raise KeyboardInterrupt


@contextmanager
def stop_wish() -> Iterator[Wish]:
    """Yield an event that the first Ctrl-C or SIGTERM within the block sets.

    An exception could be raised anywhere: in the middle of a step, or in a callback of a C library,
    which loses it. A second signal has its previous effect: Ctrl-C raises KeyboardInterrupt. A
    second SIGTERM within ``ONE_SIGNAL`` seconds counts as the same one and does nothing. Signals
    that were ignored stay ignored. In threads other than the main one, which alone receives
    signals, the event is never set.
    """
    wish = Wish()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    taken = {number: was for number, was in before.items() if was is not signal.SIG_IGN}

    def restore() -> None:
        for number, handler in taken.items():
            signal.signal(number, handler)

    def handle(number: int, _frame: FrameType | None) -> None:
        for each, handler in taken.items():
            same = each == number == signal.SIGTERM
            signal.signal(each, _unless_the_same(handler) if same else handler)
        wish.come(number, taken[signal.Signals(number)])

    for number in taken:
        signal.signal(number, handle)
    try:
        yield wish
    finally:
        restore()


def _unless_the_same(before: Any) -> Callable[[int, FrameType | None], None]:
    """Return a handler that ignores repeats of a signal at first, and later restores ``before``."""
    came = time.monotonic()

    def again(number: int, _frame: FrameType | None) -> None:
        if time.monotonic() - came >= ONE_SIGNAL:
            signal.signal(number, before)
            signal.raise_signal(number)

    return again
