"""Prefetching: an iterable runs in its own thread, a few items ahead of its consumer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")

_DEPTH = 4  # queued items at most: enough to smooth out variation, with little memory


class _End:
    """The end of a queue, with the error that ended it, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _Worker(Generic[T]):
    def __init__(self, items: Iterable[T], depth: int) -> None:
        self._queue: queue.Queue[T | _End] = queue.Queue(depth)
        self._stop = threading.Event()
        # A daemon, so that an exiting process does not wait for a decoder that hangs.
        self._thread = threading.Thread(target=self._fill, args=(items,), daemon=True)
        self._thread.start()

    def _fill(self, items: Iterable[T]) -> None:
        end = _End()
        try:
            for item in items:
                if not self._put(item):
                    break
        except BaseException as error:  # raised in the consumer
            end = _End(error)
        finally:
            close = getattr(items, "close", None)
            if close:
                close()  # a generator is closed in the thread that ran it
        self._put(end)

    def _put(self, item: T | _End) -> bool:
        """Put an item; return False once the consumer has stopped."""
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
        """Stop the thread, and wait for it."""
        self._stop.set()
        self._thread.join()


@contextmanager
def prefetch(items: Iterable[T], depth: int = _DEPTH) -> Iterator[Iterator[T]]:
    """Iterate ``items`` in a thread, at most ``depth`` ahead; errors are raised in the consumer.

    Leaving the block stops the thread and waits for it. Blocks can be nested: the inner block's
    items may come from the outer one's.
    """
    worker = _Worker(items, depth)
    try:
        yield iter(worker)
    finally:
        worker.end()
