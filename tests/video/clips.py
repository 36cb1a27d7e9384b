"""Clips made on the spot: what is in them is known to the pixel and the sample."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE = 48_000


def picture(index: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Frame ``index``: red left, green right, and a white bar that moves two pixels a frame."""
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[:, : width // 2] = (200, 40, 40)
    rgb[:, width // 2 :] = (40, 180, 60)
    left = 2 * index % width
    rgb[: height // 3, left : left + 8] = 250
    return rgb


def write(
    path: Path,
    frames: int = 12,
    *,
    height: int = 48,
    width: int = 64,
    rate: Any = 12,
    sound: str | None = "aac",
    pix_fmt: str = "yuv420p",
    codec: str = "libx264",
    times: Callable[[int], int] | None = None,
    color: dict[str, int] | None = None,
) -> Path:
    """A clip of :func:`picture`, with a tone of 440 Hz as long as itself."""
    container_format = {".mkv": "matroska"}.get(path.suffix, path.suffix[1:])
    with av.open(str(path), "w", format=container_format) as container:
        video = container.add_stream(codec, rate=rate)
        video.width, video.height, video.pix_fmt = width, height, pix_fmt
        if codec == "libx264":
            video.options = {"crf": "4", "preset": "ultrafast"}
        for name, value in (color or {}).items():
            setattr(video.codec_context, name, value)
        if times:
            video.codec_context.time_base = Fraction(1, 1000)
        audio = container.add_stream(sound, rate=RATE, layout="mono") if sound else None
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(index, height, width), format="rgb24")
            spaces = {"dst_colorspace": color["colorspace"]} if color else {}
            if color and "color_range" in color:
                spaces["dst_color_range"] = color["color_range"]
            frame = frame.reformat(format=pix_fmt, **spaces)
            if times:
                frame.time_base, frame.pts = Fraction(1, 1000), times(index)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio:
            _tone(container, audio, frames / Fraction(rate))
    return path


def _tone(container: Any, stream: Any, seconds: Fraction) -> None:
    fifo = av.AudioFifo()
    samples = np.sin(np.arange(int(seconds * RATE)) * (2 * np.pi * 440 / RATE))
    sound = (samples * 0.4).astype(np.float32)[None]
    frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    resampler = av.AudioResampler(format=stream.format, layout="mono", rate=RATE)
    for each in [*resampler.resample(frame), *resampler.resample(None)]:
        fifo.write(each)
    size = stream.codec_context.frame_size or 1024
    while (block := fifo.read(size, partial=True)) is not None:
        container.mux(stream.encode(block))
    container.mux(stream.encode())


def later(source: Path, path: Path, seconds: Fraction) -> Path:
    """The same packets, in MPEG-TS, as much later, as a recording of a broadcast has them."""
    with av.open(str(source)) as given, av.open(str(path), "w", format="mpegts") as container:
        streams = {s.index: container.add_stream_from_template(s) for s in given.streams}
        for packet in given.demux():
            if packet.dts is None:
                continue
            packet.pts += round(seconds / packet.time_base)
            packet.dts += round(seconds / packet.time_base)
            packet.stream = streams[packet.stream.index]
            container.mux(packet)
    return path


def turn(path: Path, quarters: int) -> Path:
    """State in an MP4 that players turn the picture clockwise (ISO 14496-12, 8.3.2)."""
    one, zero, minus = 0x10000, 0, 0xFFFF0000
    cosine, sine = [(one, zero), (zero, one), (minus, zero), (zero, minus)][quarters]
    matrix = (cosine, sine, 0, -sine & 0xFFFFFFFF, cosine, 0, 0, 0)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    data[at : at + 36] = struct.pack(">9I", *matrix, 0x40000000)
    path.write_bytes(data)
    return path
