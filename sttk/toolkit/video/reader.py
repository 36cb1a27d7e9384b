"""A video file as upright RGB frames with their times, and its sound as packets, in file order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sttk.toolkit.core.errors import VideoError
from sttk.toolkit.imaging.images import Bytes
from sttk.toolkit.video.color import hdr_of, to_rgb
from sttk.toolkit.video.library import av

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# Demuxers by name. Playlists and scripts (hls, concat, lavfi) are not among them: they make FFmpeg
# open other files and addresses.
_OPEN = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,avi,mpegts,mpeg,flv,ogg,asf,gif,apng,h264,hevc,ivf,mxf",
}
# 8192x4608. A decoder holds up to some twenty frames.
MAX_PIXELS = 8192 * 4608
_DEFAULT_RATE = Fraction(25)
_MOST_RATE = 1000  # frames a second; beyond it stands a clock's tick, not a rate


@dataclass(frozen=True)
class Frame:
    """A picture and when it is shown.

    Attributes:
        rgb: (H, W, 3) uint8, upright.
        time: in seconds.
    """

    rgb: Bytes
    time: Fraction


@dataclass(frozen=True)
class Facts:
    """What a file says of its picture.

    Attributes:
        height: upright.
        width: upright.
        rate: frames a second, on average.
        frames: about how many; None if the file does not tell.
        aspect: width of a pixel by its height.
        turns: quarters of a turn, to the left, that make it upright.
        hdr: ``PQ``, ``HLG``, or empty.
    """

    height: int
    width: int
    rate: Fraction
    frames: int | None
    aspect: Fraction
    turns: int
    hdr: str


class Reader:
    """An opened video.

    Attributes:
        facts: of the picture.
        sound: the audio streams, for who copies them.
        broken: how many packets could not be decoded so far.
    """

    def __init__(self, path: Path, facts: Facts, container: InputContainer) -> None:
        self.facts = facts
        self.sound: tuple[AudioStream, ...] = tuple(
            stream for stream in container.streams.audio if stream.codec_context is not None
        )
        self.broken = 0
        self._container = container
        self._video = _best_video(path, container)
        self._video.thread_type = "AUTO"
        self._start = _start(self._video, *self.sound)

    def items(self) -> Iterator[Frame | Packet[Any]]:
        """Frames, and packets of sound, as the file has them, from time 0 on; once."""
        last: Fraction | None = None
        for packet in self._packets():
            if packet.stream.type == "audio":
                if packet.dts is not None:  # else it is the one that ends the stream
                    _move(packet, self._start)
                    yield packet
                continue
            for decoded in self._frames_of(packet):
                last = self._time(decoded, last)
                yield Frame(_upright(decoded, self.facts), last)

    def frames(self) -> Iterator[Frame]:
        """The frames alone; once."""
        return (item for item in self.items() if isinstance(item, Frame))

    def _packets(self) -> Iterator[Packet[Any]]:
        try:
            yield from self._container.demux(self._video, *self.sound)
        except av.FFmpegError:
            self.broken += 1  # the file ends within a packet

    def _frames_of(self, packet: Packet[Any]) -> list[VideoFrame]:
        try:
            return [frame for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
        except av.FFmpegError:
            self.broken += 1
            return []

    def _time(self, frame: VideoFrame, last: Fraction | None) -> Fraction:
        """When to show it: after the last one, whatever the file says."""
        time = None
        if frame.pts is not None and frame.time_base:
            time = frame.pts * frame.time_base - self._start
        if last is not None and (time is None or time <= last):
            return last + 1 / self.facts.rate
        return time or Fraction(0)


@contextmanager
def open_video(path: Path) -> Iterator[Reader]:
    """A video of any container and codec that FFmpeg knows and that names no other files.

    Raises:
        VideoError: no such file, no video in it, or of more than ``MAX_PIXELS`` pixels.
        MissingExtraError: PyAV is not installed.
    """
    facts = _probe(path)
    with _container(path) as container:
        yield Reader(path, facts, container)


def _probe(path: Path) -> Facts:
    """From the streams and the first frame: rotation and transfer stand with frames."""
    with _container(path) as container:
        stream = _best_video(path, container)
        try:
            first = next(container.decode(stream), None)
        except av.FFmpegError as error:
            raise VideoError(f"{path}: cannot be decoded: {_brief(error)}") from error
        if first is None:
            raise VideoError(f"{path}: no frame of it can be decoded")
        _check_pixels(path, first.width, first.height)  # a header can say less than comes
        turns = round(first.rotation / 90) % 4
        aspect = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
        sides = first.height, first.width
        rate = _rate(stream)
        return Facts(
            *(sides[::-1] if turns % 2 else sides),
            rate=rate,
            frames=stream.frames or _frames_by_length(container, rate),
            aspect=1 / aspect if turns % 2 else aspect,
            turns=turns,
            hdr=hdr_of(first.color_trc),
        )


@contextmanager
def _container(path: Path) -> Iterator[InputContainer]:
    if not path.is_file():
        raise VideoError(f"{path}: {'is no file' if path.exists() else 'no such file'}")
    try:
        # "file:" in front, so that a name such as "concat:x" is a name.
        container = av.open(f"file:{path}", options=_OPEN)
    except (av.FFmpegError, UnicodeError) as error:
        raise VideoError(f"{path}: not a readable video: {_brief(error)}") from error
    with container:
        yield container


def _best_video(path: Path, container: InputContainer) -> VideoStream:
    """The one that players show; covers of songs are none."""
    stream: Any = container.streams.best("video")
    if stream is None or stream.codec_context is None:
        raise VideoError(f"{path}: no video in it")
    _check_pixels(path, stream.codec_context.width, stream.codec_context.height)
    best: VideoStream = stream
    return best


def _check_pixels(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise VideoError(f"{path}: {width}x{height} is more than {MAX_PIXELS:,} pixels")


def _start(*streams: Any) -> Fraction:
    """What to subtract from all times: where the earliest stream starts, such as after an hour.

    Nothing where that is below zero: there stands what an encoder of sound begins with, which
    players skip and containers have a place for.
    """
    starts = [each.start_time * each.time_base for each in streams if each.start_time is not None]
    return max(Fraction(0), min(starts, default=Fraction(0)))


def _move(packet: Packet[Any], start: Fraction) -> None:
    ticks = round(start / packet.time_base) if packet.time_base else 0
    if packet.dts is not None:
        packet.dts -= ticks
    if packet.pts is not None:
        packet.pts -= ticks


def _rate(stream: VideoStream) -> Fraction:
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate <= _MOST_RATE:
            return Fraction(rate)
    return _DEFAULT_RATE


def _frames_by_length(container: InputContainer, rate: Fraction) -> int | None:
    length = container.duration
    return max(1, round(length / av.time_base * rate)) if length and length > 0 else None


def _upright(frame: VideoFrame, facts: Facts) -> Bytes:
    sides = (facts.height, facts.width)
    height, width = sides[::-1] if facts.turns % 2 else sides
    return np.ascontiguousarray(np.rot90(to_rgb(frame, width, height), facts.turns))


def _brief(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split())[:160]
