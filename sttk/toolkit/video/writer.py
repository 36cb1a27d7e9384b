"""Writes a video file atomically: frames as H.264 or VP9, with the sound of another file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sttk.toolkit.core.errors import VideoError
from sttk.toolkit.imaging.images import Bytes
from sttk.toolkit.io.files import DISK_ERRORS, finish_temporary, sweep_writes
from sttk.toolkit.video.color import from_rgb, tag
from sttk.toolkit.video.library import av
from sttk.toolkit.video.reader import Facts, Frame
from sttk.toolkit.video.sound import Track

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet

# Suffix -> FFmpeg's name of the container, the video encoder, its options.
# veryfast takes a third of the default preset's time, which leaves more for the net.
_H264 = ("libx264", {"preset": "veryfast"})
_VP9 = ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "6", "row-mt": "1", "b": "0"})
CONTAINERS = {
    ".mp4": ("mp4", *_H264),
    ".m4v": ("mp4", *_H264),
    ".mov": ("mov", *_H264),
    ".mkv": ("matroska", *_H264),
    ".webm": ("webm", *_VP9),
}
# Containers that can be played before they are completely downloaded.
_INDEX_FIRST = {"mp4": {"movflags": "+faststart"}, "mov": {"movflags": "+faststart"}}
# Fine enough for every frame rate in use: 30000/1001, 24, 25, 50, 60, 90, 120 and 144.
_TICK = Fraction(1, 90_000)


class Writer:
    """Writes frames and packets of sound, in the order of their times.

    Attributes:
        frames: the number of frames written so far.
    """

    def __init__(self, container: OutputContainer, facts: Facts, crf: int, codec: Any) -> None:
        name, options = codec
        self.frames = 0
        self._container = container
        # The audio tracks are added later, but before the first packet, as the container requires.
        self._tracks: dict[int, Track] = {}
        height, width = (side + side % 2 for side in (facts.height, facts.width))
        # The rate is only nominal; every frame has its own time.
        stream = container.add_stream(name, rate=facts.rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": str(crf), **options}
        stream.time_base = stream.codec_context.time_base = _TICK
        stream.codec_context.sample_aspect_ratio = facts.aspect
        tag(stream.codec_context)
        self._stream = stream

    def add_sound(self, streams: Sequence[AudioStream]) -> None:
        """Add the audio tracks of another file."""
        for stream in streams:
            self._tracks[stream.index] = Track(stream, self._container)

    def write(self, item: Frame | Packet[Any]) -> None:
        """Write a frame, or a packet of sound of one of the streams."""
        if not isinstance(item, Frame):
            self._tracks[item.stream.index].write(item)
            return
        frame = from_rgb(_even(item.rgb))
        frame.time_base, frame.pts = _TICK, round(item.time / _TICK)
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def finish(self) -> None:
        """Flush the encoders."""
        self._container.mux(self._stream.encode())
        for track in self._tracks.values():
            track.finish()


@contextmanager
def create_video(
    path: Path, facts: Facts, sound: Sequence[AudioStream] = (), *, crf: int
) -> Iterator[Writer]:
    """Create a file under a temporary name; it is renamed to ``path`` at the end of the block.

    Args:
        path: the output; its suffix, one of ``CONTAINERS``, determines the container.
        facts: the size, frame rate and pixel aspect. An odd side grows by a pixel, as 4:2:0 needs.
        sound: the audio streams of another file whose packets will be written.
        crf: the constant rate factor of the encoder, 0..51; lower is better and larger.

    Raises:
        OSError: the disk is full or fails.
        VideoError: the file cannot be written for another reason; an existing file is kept.
    """
    name, *codec = CONTAINERS[path.suffix.lower()]
    sweep_writes(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.{os.getpid()}.")
    os.close(handle)
    try:
        container = av.open(temporary, "w", format=name, options=_INDEX_FIRST.get(name, {}))
        with container:
            writer = Writer(container, facts, crf, codec)
            writer.add_sound(sound)
            yield writer
            writer.finish()
        finish_temporary(Path(temporary))
        Path(temporary).replace(path)
    except av.FFmpegError as error:
        if error.errno in DISK_ERRORS:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise VideoError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def check_name(path: Path) -> None:
    """Raise VideoError if the suffix is not that of a container that can be written."""
    if path.suffix.lower() not in CONTAINERS:
        raise VideoError(f"{path}: unknown video suffix", fix=f"use one of {', '.join(CONTAINERS)}")


def _even(rgb: Bytes) -> Bytes:
    """Repeat the last row and column if their number is odd."""
    height, width = rgb.shape[:2]
    if height % 2 == width % 2 == 0:
        return rgb
    return np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
