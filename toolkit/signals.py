"""Ctrl-C and SIGTERM as a wish to stop soon, for work whose first part is worth keeping."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_wish() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or SIGTERM within the block sets.

    The second one does what it did before: Ctrl-C raises KeyboardInterrupt. In any thread but the
    main one, which alone receives signals, the event is set by nobody.
    """
    wish = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def wanted(_number: int, _frame: object) -> None:
        wish.set()
        restore()

    for number in _SIGNALS:
        signal.signal(number, wanted)
    try:
        yield wish
    finally:
        restore()
