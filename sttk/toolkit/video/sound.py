"""One track of sound on its way from file to file: copied where the container takes it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from sttk.toolkit.video.library import av

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet


# What players expect in these; FFmpeg writes more, such as PCM in MP4, which most cannot play.
_MP4 = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"})
_PLAYED = {"mp4": _MP4, "mov": _MP4 | {"pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be"}}

_USUAL = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 8: "7.1"}


class Track:
    """Packets of ``source`` into ``container``: as they are, else encoded anew."""

    def __init__(self, source: AudioStream, container: OutputContainer) -> None:
        self._container = container
        self._copies = not _names(source).isdisjoint(
            _PLAYED.get(container.format.name, container.supported_codecs)
        )
        self._source = source
        self._stream: Any
        if self._copies:
            self._stream = container.add_stream_from_template(source)
            return
        # AC-3, Matroska's default, is a codec of cinemas; Opus is what today's players expect.
        codec = "libopus" if container.format.name in ("webm", "matroska") else "aac"
        rate = 48_000 if codec == "libopus" else source.rate
        # It brings what it is given to its own format, layout, rate and length of frames.
        self._stream = container.add_stream(codec, rate=rate, layout=_layout(source))

    def write(self, packet: Packet[Any]) -> None:
        """Add one; a packet that cannot be decoded is silence."""
        if self._copies:
            packet.stream = self._stream
            self._container.mux(packet)
            return
        try:
            frames: list[Any] = list(packet.decode())
        except av.FFmpegError:
            return
        for frame in frames:
            _in_samples(frame)
            self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """What the encoder holds back."""
        if not self._copies:
            self._container.mux(self._stream.encode())


def _names(source: AudioStream) -> set[str]:
    """The codec's and its decoder's, which differ: mp3 and mp3float; a container lists either."""
    codec = source.codec_context.codec
    return {codec.canonical_name, codec.name}


def _in_samples(frame: AudioFrame) -> None:
    """Count its time in samples: AVI counts in frames of sound, which no encoder can resample."""
    tick = Fraction(1, frame.sample_rate)
    if frame.pts is not None and frame.time_base:
        frame.pts = round(frame.pts * frame.time_base / tick)
    frame.time_base = tick


def _layout(source: AudioStream) -> str:
    """The speakers; files that tell only how many there are mean the usual ones."""
    name = source.layout.name
    return _USUAL.get(source.codec_context.channels, name) if "channels" in name else name
