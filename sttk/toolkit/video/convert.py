"""A video through a net: decoder, net and encoder at once, each in a thread of its own."""

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
DEFAULT_CRF = 18  # hard to tell from the frames themselves


@dataclass(frozen=True)
class VideoSettings:
    """What to make of a video.

    Attributes:
        look: how much of the style.
        steady: 0..1, see :class:`Steady`; 0 for each frame by itself.
        measure: the flicker, too, at the cost of two optical flows a frame.
        crf: quality of the file, 0..51; lower is better.
    """

    look: Look = field(default_factory=Look)
    steady: float = 0.0
    measure: bool = False
    crf: int = DEFAULT_CRF


@dataclass(frozen=True)
class Result:
    """What came of it.

    Attributes:
        frames: written.
        seconds: that it took.
        stopped: number of the signal that wanted it to stop before the end; 0: none did.
        broken: packets of the video that could not be decoded.
        flicker: warp errors in grey levels, of the input and of the output; empty if not measured.
    """

    frames: int
    seconds: float
    stopped: int
    broken: int
    flicker: tuple[float, ...]

    @property
    def fps(self) -> float:
        """Frames a second, all in all."""
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
    """Write ``target``: the reader's frames in the style of the runner's net, and its sound.

    The first Ctrl-C ends the file after the frame in work; it plays.

    Args:
        reader: opened, not yet read from.
        target: see :func:`create_video`.
        runner: a runtime with the net loaded.
        contract: of that net.
        settings: what to make of it.
        on_progress: is called after each frame, with how many there are and how many a second.

    Raises:
        VideoError: a file cannot be read or written.
        UsageError, ImageError, RunError: of the net; nothing is written then.
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
