"""An object in a process of its own: its calls cross a pipe.

Each runtime gets one, so that thread pools do not fight, a crash takes one row down and not the
benchmark, and the peak of memory is that of one runtime.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from sttk.toolkit.core.errors import NotRunError, SttkError

_GONE = (EOFError, BrokenPipeError, ConnectionResetError)
_PATIENCE = 5.0  # seconds for a process to end when told to
# Read when the libraries load, before any of their own settings can be made.
_POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# A process that is killed leaves what multiprocessing's tracker cleans up, and would report.
_WARNINGS = "PYTHONWARNINGS"

T_co = TypeVar("T_co", covariant=True)
P = ParamSpec("P")
R = TypeVar("R")


class OutOfTimeError(NotRunError):
    """There was no answer in the time that was left; the process has been ended."""

    def __init__(self) -> None:
        super().__init__("there was no time left for it")


class Spec(Protocol[T_co]):
    """What a process is to make: plain values that can be pickled, such as a frozen dataclass."""

    def make(self) -> T_co:
        """Make it; called in the new process."""


class Remote(Generic[T_co]):
    """What a spec makes, in a new process; :meth:`call` runs one of its methods there.

    Args:
        spec: makes the object there; it is pickled.
        threads: the size of its process's thread pools; None leaves it to the libraries.
        until: moment of ``time.perf_counter`` by which it has to have answered; None for no end.

    Raises:
        NotRunError: what ``make`` raised, or that the process died.
        OutOfTimeError: it was not there in time.
    """

    def __init__(self, spec: Spec[T_co], threads: int | None, until: float | None = None) -> None:
        self.until = until
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, spec), daemon=True)
        quiet = ",".join(filter(None, (os.environ.get(_WARNINGS), "ignore:resource_tracker")))
        pools = dict.fromkeys(_POOLS, str(threads)) if threads else {}
        with _environment({**pools, _WARNINGS: quiet}):
            self._process.start()
        theirs.close()
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Remote[T_co]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(
        self, method: Callable[Concatenate[T_co, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Return what a method of the object returns.

        Args:
            method: a method of what the spec makes, such as ``Peaks.measure``. Its name crosses
                the pipe, so one of a protocol that the object fulfils will do.
            args: its arguments; they are pickled.
            kwargs: likewise.

        Raises:
            NotRunError: what it raised, in one line, or that its process died.
            OutOfTimeError: it did not answer until ``until``.
        """
        try:
            self._pipe.send((method.__name__, args, kwargs))
        except _GONE as error:
            raise self._death() from error
        answer: R = self._answer()
        return answer

    def dismiss(self) -> None:
        """Let the process end, and do not wait for it: it reads that nobody will ask any more."""
        self._pipe.close()

    def kill(self) -> None:
        """End the process at once, without letting its libraries shut down."""
        self._process.kill()
        self.close()

    def close(self) -> None:
        """End the process."""
        self.dismiss()
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _answer(self) -> Any:
        try:
            if self._late():
                self._process.kill()
                raise OutOfTimeError
            done, value = self._pipe.recv()
        except _GONE as error:
            raise self._death() from error
        if not done:
            raise NotRunError(value)
        return value

    def _late(self) -> bool:
        """Wait for an answer until ``until``; whether there is none."""
        if self.until is None:
            return False
        return not self._pipe.poll(max(0.0, self.until - time.perf_counter()))

    def _death(self) -> NotRunError:
        self._process.join(_PATIENCE)
        code = self._process.exitcode
        memory = ": out of memory?" if code == -signal.SIGKILL else ""
        return NotRunError(f"its process died with exit code {code}{memory}")


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Variables for processes that are started within."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(pipe: Connection, spec: Spec[object]) -> None:
    """Make the object, then answer calls until nobody asks; the process's main function."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    os.dup2(sys.stderr.fileno(), 1)  # what libraries print is no part of a report
    try:
        thing = spec.make()
        pipe.send((True, None))
        while True:
            name, args, kwargs = pipe.recv()
            pipe.send((True, getattr(thing, name)(*args, **kwargs)))
    except _GONE:
        return
    # Whatever went wrong in there is the reason why the row did not run.
    except Exception as error:
        pipe.send((False, _told(error)))


def _told(error: Exception) -> str:
    if isinstance(error, SttkError):
        return str(error).removeprefix("not run: ")
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
