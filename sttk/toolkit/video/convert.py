"""Stylisation of a video: decoder, net and encoder run concurrently, each in its own thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit.core.contract import Contract
from sttk.toolkit.host.signals import stop_requests
from sttk.toolkit.imaging.images import Bytes, Floats
from sttk.toolkit.io.prefetch import prefetch
from sttk.toolkit.runtimes.base import Runner
from sttk.toolkit.runtimes.stylize import Advice, Look, Preparing, finish
from sttk.toolkit.video.reader import Frame, Reader
from sttk.toolkit.video.steady import Steady, WarpError
from sttk.toolkit.video.writer import Writer, create_video

if TYPE_CHECKING:
    from av.packet import Packet

_ADVICE = Advice(
    "scale the video down first",
    "scale the video down first, or export with --dynamic",
)
DEFAULT_CRF = 18  # visually lossless


@dataclass(frozen=True)
class VideoSettings:
    """The settings for a video.

    Attributes:
        look: the strength of the style.
        steady: the strength of the flicker reduction, 0..1 (:class:`Steady`); 0 turns it off.
        measure: whether to measure the flicker, which costs two optical flows a frame.
        crf: the constant rate factor of the encoder, 0..51; lower is better.
    """

    look: Look = field(default_factory=Look)
    steady: float = 0.0
    measure: bool = False
    crf: int = DEFAULT_CRF


@dataclass(frozen=True)
class Result:
    """The outcome of a conversion.

    Attributes:
        frames: the number of frames written.
        seconds: the time it took.
        stopped: the number of the signal that stopped it before the end; 0 if none did.
        broken: the number of video packets that could not be decoded.
        flicker: the warp errors of the input and the output in grey levels; empty if not measured.
    """

    frames: int
    seconds: float
    stopped: int
    broken: int
    flicker: tuple[float, ...]

    @property
    def fps(self) -> float:
        """The mean number of frames a second."""
        return self.frames / self.seconds


_Item = Any  # Frame or av.Packet
_OnProgress = Callable[[int, float], None]


def stylize_video(
    reader: Reader,
    target: Path,
    runner: Runner,
    contract: Contract,
    settings: VideoSettings,
    on_progress: _OnProgress = lambda _frames, _fps: None,
) -> Result:
    """Write the reader's frames in the style of the runner's net, with the reader's sound.

    The first Ctrl-C finishes the file after the current frame, so that it is playable.

    Args:
        reader: an open reader that has not been read from.
        target: the path of the output (:func:`create_video`).
        runner: a runtime with the net loaded.
        contract: the net's contract.
        settings: the settings for the video.
        on_progress: progress callback, called after each frame with the number of frames so far and
            the frames a second.

    Raises:
        VideoError: a file cannot be read or written.
        UsageError: the model has a fixed size and the frames are larger; nothing is written.
        ImageError: the net would need more memory than is available; nothing is written.
        RunError: the net fails; nothing is written.
    """
    steady = Steady(settings.steady) if settings.steady else None
    flicker = WarpError() if settings.measure else None
    started = time.perf_counter()

    def shown(photograph: Bytes, output: Floats) -> Bytes:
        styled = finish(photograph, output, settings.look)
        if steady:
            styled = steady(photograph, styled)
        if flicker:
            flicker.add(photograph, styled)
        return styled

    with (
        stop_requests() as stop,
        create_video(target, reader.facts, reader.sound, crf=settings.crf) as writer,
        prefetch(_prepared(reader.items(), runner, contract)) as prepared,
        prefetch(_ran(prepared, runner)) as ran,
    ):
        for item, output in ran:
            _write(writer, item, output, shown)
            if output is not None:
                on_progress(writer.frames, writer.frames / (time.perf_counter() - started))
            if stop.is_set() and writer.frames:
                break
    seconds = time.perf_counter() - started
    means = flicker.means() if flicker else ()
    return Result(writer.frames, seconds, stop.number, reader.broken, means)


def _prepared(
    items: Iterable[_Item], runner: Runner, contract: Contract
) -> Iterator[tuple[_Item, Floats | None]]:
    prepare = Preparing(runner, contract, _ADVICE)
    for item in items:
        yield item, prepare(item.rgb) if isinstance(item, Frame) else None


def _ran(
    items: Iterable[tuple[_Item, Floats | None]], runner: Runner
) -> Iterator[tuple[_Item, Floats | None]]:
    for item, batch in items:
        yield item, None if batch is None else runner.run(batch)


def _write(
    writer: Writer,
    item: Frame | Packet[Any],
    output: Floats | None,
    shown: Callable[[Bytes, Floats], Bytes],
) -> None:
    if isinstance(item, Frame) and output is not None:
        item = Frame(shown(item.rgb, output), item.time)
    writer.write(item)
