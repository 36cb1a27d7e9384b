"""Videos of the containers that are in use, and headers that lie."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.hostile.bytes_mutations import Mutation
from tests.hostile.sample import Sample
from tests.video import clips

_SIDES = (0, 1, 2, 3, 17, 4096, 16_384, 32_768, 65_535)
_SCRIPTS = (
    b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n",
    b"ffconcat version 1.0\nfile /etc/passwd\n",
    b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    b"%03d.png\n",
    b"<?xml version='1.0'?><MPD><Period><BaseURL>file:///etc/passwd</BaseURL></Period></MPD>",
)


@functools.cache
def _content(suffix: str, folder: str) -> bytes:
    path = Path(folder) / f"seed{suffix}"
    sound = {".avi": "pcm_s16le", ".webm": "libopus"}.get(suffix, "aac")
    codec = {".avi": "mjpeg", ".webm": "libvpx-vp9"}.get(suffix, "libx264")
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    clips.write(path, 4, height=16, width=24, sound=sound, codec=codec, pix_fmt=pix_fmt)
    return path.read_bytes()


def _seed(suffix: str) -> Callable[[Path], Sample]:
    def make(scratch: Path) -> Sample:
        name = f"clip{suffix}"
        return Sample(name, {name: _content(suffix, str(scratch))})

    return make


SEEDS = tuple(_seed(suffix) for suffix in (".mp4", ".mkv", ".avi", ".webm"))


def sides(random: Random, sample: Sample) -> Sample:
    """Other sides than the frames have, where a header has them as numbers of 16 or 32 bits."""
    content = sample.files[sample.path]
    for known in (24, 16):
        other = random.choice(_SIDES)
        for form in (">H", "<I", ">I"):
            if random.random() < 0.5:
                content = content.replace(struct.pack(form, known), struct.pack(form, other), 2)
    return sample.with_file(sample.path, content)


def script(random: Random, sample: Sample) -> Sample:
    """What makes FFmpeg open other files and addresses."""
    return sample.with_file(sample.path, random.choice(_SCRIPTS))


def _box(*kinds: bytes) -> Mutation:
    """Bits flipped within a box of MP4 alone, elsewhere anywhere near the start."""

    def mutate(random: Random, sample: Sample) -> Sample:
        content = bytearray(sample.files[sample.path])
        at = content.find(random.choice(kinds))
        for _ in range(random.choice((1, 2, 5))):
            place = max(at, 0) + random.randrange(4, 60)
            content[place % len(content)] ^= 1 << random.randrange(8)
        return sample.with_file(sample.path, bytes(content))

    return mutate


MUTATIONS: dict[str, Mutation] = {
    "sides": sides,
    "script": script,
    "times": _box(b"mdhd", b"stts", b"ctts", b"elst", b"mvhd"),
    "tables": _box(b"stsz", b"stco", b"stsc", b"stsd", b"avcC", b"esds"),
    "matrix": _box(b"tkhd"),
}
