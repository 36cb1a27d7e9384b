"""The one stopwatch: each thing that is timed has a process of its own, and they take turns.

:func:`time_interleaved` times models that are all there. A benchmark, which starts what its budget
has room for, uses the steps: :func:`start`, :func:`time_started` and :func:`end`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from sttk.benchmarks.clocks import Clock
from sttk.benchmarks.remote import Remote, Spec
from sttk.benchmarks.rounds import TURN_SECONDS, TimedProcess, run_interleaved
from sttk.benchmarks.rows import Timing
from sttk.benchmarks.specs import ModelClockSpec
from sttk.benchmarks.subjects.base import SubjectSpec
from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.host.memory import BYTES_PER_PIXEL, available
from sttk.toolkit.imaging.images import Picture, from_batch, write_image
from sttk.toolkit.imaging.regimes import photographs, shipped_photos

Result: TypeAlias = Timing | NotRunError

ROUNDS = 15
# Settings and plans differ by less than runtimes do: many short turns tell more than few long ones.
_TURN_SECONDS = 0.1
# Threads of one runtime wait for more work for a while, and would slow the next.
_PAUSE = 0.02  # seconds
_OF_MEMORY = 0.8
# The memory of a process before its first picture: libraries and weights.
_PROCESS_BYTES = 400_000_000
_STARTING = 0.4  # of the work
_APART = "not all took turns with each other: memory does not hold them at once"


def start(
    spec: Spec[Clock],
    threads: int | None,
    until: float | None = None,
    turn_seconds: float = TURN_SECONDS,
) -> TimedProcess:
    """Start a process, and run what it holds until it is warm.

    Args:
        spec: the stopwatch that the process makes.
        threads: the size of its thread pools; None leaves it to the libraries.
        until: moment of ``time.perf_counter`` by which it has to be warm; None for no end.
        turn_seconds: about how long its turns are to be.

    Raises:
        NotRunError: it cannot run.
        OutOfTimeError: it is not warm by then.
    """
    remote = Remote(spec, threads, until)
    process = TimedProcess(remote, ready=time.perf_counter(), turn_seconds=turn_seconds)
    try:
        process.warm()
    except BaseException:
        remote.close()
        raise
    return process


def time_started(
    processes: Sequence[TimedProcess],
    seconds: float,
    least: int,
    on_progress: Callable[[float], None],
    *,
    until: float | None = None,
    pause: float = 0.0,
) -> None:
    """Time processes in interleaved rounds, and read how much memory they took.

    Args:
        processes: the processes, warm; each keeps what it measured, or why it failed.
        seconds: about how long the rounds may take.
        least: the number of rounds that are run even if they take longer.
        on_progress: called with the share that is done.
        until: moment of ``time.perf_counter`` by which all has to be over; None for no end.
        pause: the seconds to wait before each turn.
    """
    for process in processes:
        process.remote.until = until
    run_interleaved(processes, seconds, on_progress, least, pause)
    for process in processes:
        if process.running:
            process.attempt(TimedProcess.read_memory)


def end(processes: Sequence[TimedProcess]) -> None:
    """End all processes at the same time; those that have a deadline, at once."""
    remotes = [process.remote for process in processes]
    for remote in remotes:
        remote.dismiss()
    for remote in remotes:
        remote.close() if remote.until is None else remote.kill()


def time_interleaved(
    models: Sequence[SubjectSpec],
    size: Size,
    *,
    batch: int = 1,
    rounds: int = ROUNDS,
    threads: int | None = None,
    on_progress: Callable[[float, str], None] = lambda *_: None,
) -> list[Result]:
    """Time models against each other: each in its own process, all in the same rounds.

    What the models make of the picture is not checked; whoever asks judges it by other means.

    If memory does not hold all at once, they are timed in groups that share the first model. Its
    time is taken to be the same in all of them: others are scaled by it, and say so in a note.

    Args:
        models: what to time; the first is what the others are compared with.
        size: (height, width) of the picture in pixels.
        batch: the number of pictures at once.
        rounds: the number of turns that each gets.
        threads: the size of a process's thread pools; None leaves it to the libraries.
        on_progress: called with the share that is done, and what is being done.

    Returns:
        For each model its timing, or why it could not be timed.
    """
    with tempfile.TemporaryDirectory(prefix="sttk-") as folder:
        photo = write_photo(Path(folder), size)
        specs = [ModelClockSpec(each, photo, batch, whole=False, checked=False) for each in models]
        groups = list(_groups(len(specs), process_bytes(size, batch)))
        results: list[Result] = []
        for number, group in enumerate(groups):
            update = _part(on_progress, number, len(groups))
            timed = _time_group([specs[index] for index in group], rounds, threads, update)
            results += _scaled(timed, results[0]) if results else timed
    return results


def timings(results: Sequence[Result]) -> list[Timing]:
    """Return the timings; raise the first reason why there is none."""
    found = []
    for result in results:
        if isinstance(result, NotRunError):
            raise result
        found.append(result)
    return found


def median_milliseconds(results: Sequence[Result]) -> list[float]:
    """Return the medians of the timings; raise the first reason why there is none."""
    return [1e3 * timing.summary.p50 for timing in timings(results)]


def write_photo(folder: Path, size: Size) -> Path:
    """Write the photograph that is timed, at (height, width) pixels, into a folder."""
    photo = folder / "photo.jpg"
    write_image(photo, Picture(from_batch(next(photographs(shipped_photos(), size)))))
    return photo


def process_bytes(size: Size, batch: int = 1, bytes_per_pixel: int = BYTES_PER_PIXEL) -> int:
    """Return about how many bytes of memory a process that is timed takes."""
    return _PROCESS_BYTES + bytes_per_pixel * size[0] * size[1] * batch


def memory_room() -> float:
    """Return the bytes of memory that processes may take together."""
    free = available()
    return _OF_MEMORY * free if free else float("inf")


def _groups(count: int, bytes_each: int) -> Iterator[list[int]]:
    """Yield the indices of each group; all begin with the first model, and hold one more."""
    others = list(range(1, count))
    most = max(1, int(min(memory_room() / bytes_each, count)) - 1)
    for begin in range(0, max(1, len(others)), most):
        yield [0, *others[begin : begin + most]]


def _part(
    on_progress: Callable[[float, str], None], number: int, parts: int
) -> Callable[[float, str], None]:
    return lambda share, text: on_progress((number + share) / parts, text)


def _time_group(
    specs: Sequence[ModelClockSpec],
    rounds: int,
    threads: int | None,
    on_progress: Callable[[float, str], None],
) -> list[Result]:
    started: list[TimedProcess | NotRunError] = []
    processes: list[TimedProcess] = []
    try:
        for number, spec in enumerate(specs):
            on_progress(_STARTING * number / len(specs), f"starting {number + 1} of {len(specs)}")
            started.append(_started(spec, threads))
            processes = [each for each in started if isinstance(each, TimedProcess)]
        time_started(
            processes,
            0.0,
            rounds,
            lambda done: on_progress(_STARTING + (1 - _STARTING) * done, "rounds"),
            pause=_PAUSE,
        )
    finally:
        end(processes)
    return [each if isinstance(each, NotRunError) else _result(each) for each in started]


def _started(spec: ModelClockSpec, threads: int | None) -> TimedProcess | NotRunError:
    try:
        return start(spec, threads, turn_seconds=_TURN_SECONDS)
    except NotRunError as error:
        return error


def _result(process: TimedProcess) -> Result:
    return NotRunError(process.failure) if process.failure else process.timing


def _scaled(timed: Sequence[Result], reference: Result) -> list[Result]:
    """Bring a later group to the scale of the first one, by the model that both have."""
    again, *others = timed
    if isinstance(again, NotRunError):
        return [again] * len(others)
    if isinstance(reference, NotRunError):
        return [reference] * len(others)
    factor = reference.summary.p50 / again.summary.p50
    return [each if isinstance(each, NotRunError) else _times(each, factor) for each in others]


def _times(timing: Timing, factor: float) -> Timing:
    turns = tuple(tuple(factor * seconds for seconds in turn) for turn in timing.turns)
    return replace(timing, turns=turns, notes=(*timing.notes, _APART))
