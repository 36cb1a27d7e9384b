"""An audio track that is copied from file to file, or transcoded if the container needs it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from sttk.toolkit.video.library import av

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet


# Codecs that players support in these; FFmpeg can write more, such as PCM in MP4.
_MP4 = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"})
_PLAYED = {"mp4": _MP4, "mov": _MP4 | {"pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be"}}

_USUAL = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 8: "7.1"}


class Track:
    """Writes the packets of ``source`` into ``container``: copied if possible, else transcoded."""

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
        # Opus in place of AC-3, Matroska's default, which fewer of today's players support.
        codec = "libopus" if container.format.name in ("webm", "matroska") else "aac"
        rate = 48_000 if codec == "libopus" else source.rate
        # The encoder converts to its own sample format, layout, rate and frame length.
        self._stream = container.add_stream(codec, rate=rate, layout=_layout(source))

    def write(self, packet: Packet[Any]) -> None:
        """Add a packet; one that cannot be decoded becomes silence."""
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
        """Flush the encoder."""
        if not self._copies:
            self._container.mux(self._stream.encode())


def _names(source: AudioStream) -> set[str]:
    """Return the names of the codec and its decoder, such as mp3 and mp3float.

    A container may list either.
    """
    codec = source.codec_context.codec
    return {codec.canonical_name, codec.name}


def _in_samples(frame: AudioFrame) -> None:
    """Set the time base to samples: AVI's is a frame of sound, which encoders cannot resample."""
    tick = Fraction(1, frame.sample_rate)
    if frame.pts is not None and frame.time_base:
        frame.pts = round(frame.pts * frame.time_base / tick)
    frame.time_base = tick


def _layout(source: AudioStream) -> str:
    """Return the channel layout; the usual one if the file states only the number of channels."""
    name = source.layout.name
    return _USUAL.get(source.codec_context.channels, name) if "channels" in name else name
