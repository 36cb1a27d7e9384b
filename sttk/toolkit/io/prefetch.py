"""Prefetching: an iterable runs in a thread of its own, a few items ahead of its consumer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")

_DEPTH = 4  # items that wait at most: enough to even out what takes turns, little memory


class _End:
    """The last thing in a queue: no more items, or the error that ended them."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _Worker(Generic[T]):
    def __init__(self, items: Iterable[T], depth: int) -> None:
        self._queue: queue.Queue[T | _End] = queue.Queue(depth)
        self._stop = threading.Event()
        # A daemon: a process that is told to end does not wait for a decoder that hangs.
        self._thread = threading.Thread(target=self._fill, args=(items,), daemon=True)
        self._thread.start()

    def _fill(self, items: Iterable[T]) -> None:
        end = _End()
        try:
            for item in items:
                if not self._put(item):
                    break
        except BaseException as error:  # raised where the items are taken
            end = _End(error)
        finally:
            close = getattr(items, "close", None)
            if close:
                close()  # a generator ends in the thread that ran it
        self._put(end)

    def _put(self, item: T | _End) -> bool:
        """False once nobody takes items any more."""
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def __iter__(self) -> Iterator[T]:
        while not isinstance(item := self._queue.get(), _End):
            yield item
        if item.error:
            raise item.error

    def end(self) -> None:
        """Have the thread stop, and wait for it."""
        self._stop.set()
        self._thread.join()


@contextmanager
def prefetch(items: Iterable[T], depth: int = _DEPTH) -> Iterator[Iterator[T]]:
    """Iterate ``items`` in a thread, at most ``depth`` ahead; errors are raised to who takes them.

    Leaving the block stops the thread and waits for it. Blocks nest: the inner one's items may come
    from the outer one's.
    """
    worker = _Worker(items, depth)
    try:
        yield iter(worker)
    finally:
        worker.end()
