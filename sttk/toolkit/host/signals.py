"""Ctrl-C and SIGTERM as requests to stop soon, for work whose first part is worth keeping."""

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


class StopRequest(threading.Event):
    """An event that the first signal sets.

    Attributes:
        number: the number of the signal; 0 before it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._handler: Any = None
        self.number = 0

    def receive(self, number: int, handler: Any) -> None:
        """Note a signal and the handler that was installed for it."""
        self.number, self._handler = number, handler
        self.set()

    def reraise(self) -> None:
        """Raise what the signal would have raised where it came: KeyboardInterrupt, or one of its
        kind.
        """
        if callable(self._handler):
            self._handler(self.number, None)
        raise KeyboardInterrupt


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """An event that the first Ctrl-C or SIGTERM within the block sets.

    An exception could be raised anywhere: in the middle of a step, or in a callback of a C library,
    which loses it. A second signal has its previous effect: Ctrl-C raises KeyboardInterrupt. A
    second SIGTERM within ``ONE_SIGNAL`` seconds counts as the same one and does nothing. Signals
    that were ignored stay ignored. In threads other than the main one, which alone receives
    signals, the event is never set.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
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
        stop.receive(number, taken[signal.Signals(number)])

    for number in taken:
        signal.signal(number, handle)
    try:
        yield stop
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
