"""Reads a video file: upright RGB frames with times, and packets of sound, in file order."""

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

# An allow-list of demuxers, without playlists and scripts (hls, concat, lavfi), which make FFmpeg
# open other files and addresses.
_OPEN = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,avi,mpegts,mpeg,flv,ogg,asf,gif,apng,h264,hevc,ivf,mxf",
}
# A decoder holds up to about twenty frames.
MAX_PIXELS = 8192 * 4608
_DEFAULT_RATE = Fraction(25)
_MAX_RATE = 1000  # frames a second; more is the tick of a clock, not a frame rate


@dataclass(frozen=True)
class Frame:
    """A picture and its presentation time.

    Attributes:
        rgb: (H, W, 3) uint8, upright.
        time: the presentation time in seconds.
    """

    rgb: Bytes
    time: Fraction


@dataclass(frozen=True)
class Facts:
    """The properties of a video stream.

    Attributes:
        height: the height of the upright picture in pixels.
        width: the width of the upright picture in pixels.
        rate: the average number of frames a second.
        frames: the approximate number of frames; None if unknown.
        aspect: the width of a pixel divided by its height.
        turns: the number of quarter turns to the left that make the picture upright.
        hdr: the HDR transfer, ``PQ`` or ``HLG``, or empty.
    """

    height: int
    width: int
    rate: Fraction
    frames: int | None
    aspect: Fraction
    turns: int
    hdr: str


class Reader:
    """An open video file.

    Attributes:
        facts: the properties of the video stream.
        sound: the audio streams.
        broken: the number of packets that could not be decoded so far.
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
        """Yield frames and packets of sound in file order, with times from 0; usable once."""
        last: Fraction | None = None
        for packet in self._packets():
            if packet.stream.type == "audio":
                if packet.dts is not None:  # otherwise it is the packet that ends the stream
                    _move(packet, self._start)
                    yield packet
                continue
            for decoded in self._frames_of(packet):
                last = self._time(decoded, last)
                yield Frame(_upright(decoded, self.facts), last)

    def frames(self) -> Iterator[Frame]:
        """Yield only the frames; usable once."""
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
        """Return the frame's time, which is always after the last one, whatever the file says."""
        time = None
        if frame.pts is not None and frame.time_base:
            time = frame.pts * frame.time_base - self._start
        if last is not None and (time is None or time <= last):
            return last + 1 / self.facts.rate
        return time or Fraction(0)


@contextmanager
def open_video(path: Path) -> Iterator[Reader]:
    """Open a video in any container and codec of FFmpeg that cannot refer to other files.

    Raises:
        VideoError: the file is missing or unreadable, has no video stream, or its pictures have
            more than ``MAX_PIXELS`` pixels.
        MissingExtraError: PyAV is not installed.
    """
    facts = _probe(path)
    with _container(path) as container:
        yield Reader(path, facts, container)


def _probe(path: Path) -> Facts:
    """Read the properties from the stream and, for rotation and transfer, the first frame."""
    with _container(path) as container:
        stream = _best_video(path, container)
        try:
            first = next(container.decode(stream), None)
        except av.FFmpegError as error:
            raise VideoError(f"{path}: cannot be decoded: {_brief(error)}") from error
        if first is None:
            raise VideoError(f"{path}: no frame of it can be decoded")
        _check_pixels(
            path, first.width, first.height
        )  # the frame may be larger than the header says
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
        # The prefix "file:" keeps a name such as "concat:x" from being taken for a protocol.
        container = av.open(f"file:{path}", options=_OPEN)
    except (av.FFmpegError, UnicodeError) as error:
        raise VideoError(f"{path}: not a readable video: {_brief(error)}") from error
    with container:
        yield container


def _best_video(path: Path, container: InputContainer) -> VideoStream:
    """Return the stream that players show; cover art does not count."""
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
    """Return the offset of all times: the start of the earliest stream, such as after an hour.

    It is never negative: negative times are the priming samples of an audio encoder, which players
    skip and containers can represent.
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
        if rate and 0 < rate <= _MAX_RATE:
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
