"""Live stylisation: a source's frames are run as fast as possible, shown and recorded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import VideoError
from sttk.toolkit.host.signals import stop_requests
from sttk.toolkit.imaging.images import Bytes
from sttk.toolkit.runtimes.base import Runner
from sttk.toolkit.runtimes.stylize import Advice, Look, Preparing, finish
from sttk.toolkit.video.camera import FrameSource, Newest
from sttk.toolkit.video.convert import DEFAULT_CRF
from sttk.toolkit.video.reader import Facts, Frame
from sttk.toolkit.video.steady import Steady
from sttk.toolkit.video.writer import Writer, create_video

_ADVICE = Advice(
    "pass a smaller --size, or a smaller video",
    "pass a smaller --size, or export with --dynamic",
)
# The nominal rate in a recording's header; the frames carry their actual times.
_NOMINAL = Fraction(30)


@dataclass(frozen=True)
class LiveSettings:
    """The settings for live frames.

    Attributes:
        look: the strength of the style.
        steady: the strength of the flicker reduction, 0..1 (:class:`Steady`).
        most: the number of frames after which to stop; None for no limit.
        record: the file to record to; None for no recording.
    """

    look: Look
    steady: float = 0.0
    most: int | None = None
    record: Path | None = None


def run_live(
    source: FrameSource,
    runner: Runner,
    contract: Contract,
    settings: LiveSettings,
    show: Callable[[Bytes, float], None],
) -> int:
    """Stylise frames until the source ends, the limit is reached, or the first Ctrl-C.

    Args:
        source: the source of the frames.
        runner: a runtime with the net loaded.
        contract: the net's contract.
        settings: the settings for live frames.
        show: a callback that is called with each stylised frame and the current frames a second.

    Returns:
        The number of frames shown.

    Raises:
        VideoError: the source fails, in which case the recording so far is kept; or the file cannot
            be written.
    """
    steady = Steady(settings.steady) if settings.steady else None
    prepare = Preparing(runner, contract, _ADVICE)
    newest, pace, shown = Newest(source), _Pace(), 0
    with ExitStack() as stack:
        stop = stack.enter_context(stop_requests())
        stack.callback(newest.close)
        recording = stack.enter_context(ExitStack())
        writer: Writer | None = None
        for photograph in _saved(newest.frames(), recording):
            styled = finish(photograph, runner.run(prepare(photograph)), settings.look)
            if steady:
                styled = steady(photograph, styled)
            if settings.record and writer is None:
                facts = _facts(styled)
                writer = recording.enter_context(
                    create_video(settings.record, facts, crf=DEFAULT_CRF)
                )
            pace.tick()
            if writer:
                writer.write(Frame(styled, pace.since_first))
            show(styled, pace.fps)
            shown += 1
            if stop.is_set() or shown == settings.most:
                break
    return shown


def _saved(frames: Iterator[Bytes], recording: ExitStack) -> Iterator[Bytes]:
    """Yield the frames; finish the recording if their source fails, such as an unplugged camera."""
    try:
        yield from frames
    except VideoError:
        recording.close()
        raise


class _Pace:
    """The frame rate, averaged over about a second."""

    def __init__(self) -> None:
        self.fps = 0.0
        self._first = self._last = time.monotonic()
        self._ticks = 0

    def tick(self) -> None:
        now = time.monotonic()
        if not self._ticks:
            self._first = now
        else:
            took = max(now - self._last, 1e-6)
            share = min(1.0, took)
            self.fps = 1 / took if self._ticks == 1 else self.fps + share * (1 / took - self.fps)
        self._last = now
        self._ticks += 1

    @property
    def since_first(self) -> Fraction:
        """The seconds from the first to the last frame, rounded to milliseconds."""
        return Fraction(round((self._last - self._first) * 1000), 1000)


def _facts(rgb: Bytes) -> Facts:
    height, width = rgb.shape[:2]
    return Facts(height, width, _NOMINAL, None, Fraction(1), 0, "")
