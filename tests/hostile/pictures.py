"""Pictures of the formats that are read, and headers that lie."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageCms

from tests.hostile.bytes_mutations import Mutation
from tests.hostile.sample import Sample

SIZE = (20, 24)
_SIDES = (
    0,
    1,
    2,
    7,
    255,
    256,
    13_000,
    16_384,
    65_535,
    100_000,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
)


def rgb() -> Image.Image:
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    values = np.stack([rows * 9, columns * 8, (rows // 4 + columns // 4) % 2 * 200], axis=-1)
    return Image.fromarray(values.astype(np.uint8))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def _seed(name: str, content: Callable[[], bytes]) -> Callable[[Path], Sample]:
    def make(scratch: Path) -> Sample:
        return Sample(name, {name: content()})

    return make


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return saved(rgb(), "JPEG", exif=exif, icc_profile=profile)


def _deep() -> Image.Image:
    return Image.fromarray(np.arange(SIZE[0] * SIZE[1], dtype=np.uint16).reshape(SIZE) * 100)


SEEDS = {
    "jpeg": (_seed("p.jpg", _turned), _seed("p.jpg", lambda: saved(rgb().convert("CMYK"), "JPEG"))),
    "png": (
        _seed("p.png", lambda: saved(rgb(), "PNG")),
        _seed("p.png", lambda: saved(_deep(), "PNG")),
        _seed("p.png", lambda: saved(rgb().convert("P"), "PNG", transparency=0)),
    ),
    "webp": (
        _seed("p.webp", lambda: saved(rgb(), "WEBP")),
        _seed("p.webp", lambda: saved(rgb().convert("RGBA"), "WEBP", lossless=True)),
    ),
    "gif": (
        _seed("p.gif", lambda: saved(rgb(), "GIF")),
        _seed("p.gif", lambda: saved(rgb(), "GIF", save_all=True, append_images=[rgb().rotate(9)])),
    ),
    "tiff": (
        _seed("p.tif", lambda: saved(rgb(), "TIFF")),
        _seed("p.tif", lambda: saved(rgb(), "TIFF", compression="tiff_adobe_deflate")),
        _seed("p.tif", lambda: saved(rgb().convert("F"), "TIFF")),
        _seed("p.tif", lambda: saved(rgb(), "TIFF", compression="jpeg")),
    ),
    "bmp": (_seed("p.bmp", lambda: saved(rgb(), "BMP")),
            _seed("p.bmp", lambda: saved(rgb().convert("P"), "BMP"))),
    "ppm": (
        _seed("p.ppm", lambda: saved(rgb(), "PPM")),
        _seed("p.ppm", lambda: b"P3\n4 3\n255\n" + b"10 20 30 " * 12),
        _seed("p.ppm", lambda: b"P5 4 3 65535\n" + bytes(range(24))),
    ),
}  # fmt: skip


def chunk(kind: bytes, data: bytes) -> bytes:
    """One of PNG's."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, bits: int, colour: int, data: bytes, extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"".join(
        (b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), extra, chunk(b"IDAT", data),
         chunk(b"IEND", b""))
    )  # fmt: skip


@functools.cache
def deflated(count: int) -> bytes:
    packer = zlib.compressobj(9)
    part = bytes(1 << 20)
    packed = b"".join(
        packer.compress(part[: min(1 << 20, count - at)]) for at in range(0, count, 1 << 20)
    )
    return packed + packer.flush()


def _sides(random: Random) -> tuple[int, int]:
    return random.choice(_SIDES), random.choice(_SIDES)


def png_sides(random: Random, content: bytes) -> bytes:
    """IHDR's sides changed, with the right checksum."""
    sides = struct.pack(">II", *_sides(random))
    header = sides + content[24:29]
    if random.random() < 0.2:
        header = (
            sides + bytes(random.choice(((16, 0), (1, 0), (16, 6), (8, 3), (4, 3)))) + header[10:]
        )
    return content[:8] + chunk(b"IHDR", header) + content[33:]


def png_bomb(random: Random, content: bytes) -> bytes:
    """Small files of much memory: pictures, profiles, texts."""
    which = random.randrange(6)
    if which == 0:  # 1 bit each, as many pixels as are allowed
        return png(13_000, 13_000, 1, 0, deflated((13_000 // 8 + 1) * 13_000))
    if which == 1:  # 16 bits each
        return png(9000, 9000, 16, 0, deflated(18_001 * 9000))
    if which == 2:  # with opacity
        return png(6000, 6000, 8, 6, deflated(24_001 * 6000))
    body = zlib.compress(bytes(24 * 3 + 1) * 20)
    long = deflated(300 << 20)
    if which == 3:
        return png(24, 20, 8, 2, body, chunk(b"iCCP", b"p\0\0" + long))
    if which == 4:
        return png(24, 20, 8, 2, body, chunk(b"zTXt", b"t\0\0" + long))
    return png(13_377, 13_377, 8, 2, body)


def tiff_tags(random: Random, content: bytes) -> bytes:
    """One entry of the first directory changed: sides, compression, strips, counts."""
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    at = start + 2 + 12 * random.randrange(max(1, count))
    if len(content) < at + 12:
        return content
    changed = bytearray(content)
    if random.random() < 0.2:
        struct.pack_into(
            "<H", changed, at, random.choice((256, 257, 258, 259, 262, 273, 277, 322, 339))
        )
    if random.random() < 0.3:
        struct.pack_into(
            "<HI", changed, at + 2, random.choice((3, 4, 5, 12, 16)), random.choice(_SIDES)
        )
    else:
        struct.pack_into("<HII", changed, at + 2, 4, 1, random.choice(_SIDES))
    return bytes(changed)


def tiff_bomb(random: Random, content: bytes) -> bytes:
    side = random.choice((4000, 8000))
    mode = random.choice(("1", "L", "F", "I;16"))
    image = Image.new(mode, (side, side))
    return saved(image, "TIFF", compression="tiff_adobe_deflate")


def ppm_header(random: Random, content: bytes) -> bytes:
    kind = random.choice((b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"Pf", b"PF", b"Py", b"P7"))
    width, height = (str(side).encode() for side in _sides(random))
    depth = random.choice(
        (b"255", b"65535", b"0", b"1", b"-1.0", b"nan", b"1e400", b"9" * 30, b"70000")
    )
    return b"\n".join((kind, width + b" " + height, depth, content[-400:]))


def bmp_header(random: Random, content: bytes) -> bytes:
    changed = bytearray(content)
    place = random.choice((18, 22))
    struct.pack_into("<I", changed, place, random.choice(_SIDES))
    if random.random() < 0.3:
        struct.pack_into(
            "<HI",
            changed,
            28,
            random.choice((1, 4, 8, 16, 24, 32, 0, 99)),
            random.choice((0, 1, 2, 3, 4)),
        )
    return bytes(changed)


def gif_sides(random: Random, content: bytes) -> bytes:
    changed = bytearray(content)
    sides = (0, 1, 24, 13_000, 65_535)
    places = [6, *(at + 5 for at in (content.find(b"\x2c", 13),) if at > 0)]
    struct.pack_into(
        "<HH", changed, random.choice(places), random.choice(sides), random.choice(sides)
    )
    return bytes(changed)


def jpeg_sides(random: Random, content: bytes) -> bytes:
    at = content.find(b"\xff\xc0")
    changed = bytearray(content)
    sides = (0, 1, 20, 13_000, 65_535)
    struct.pack_into(">HH", changed, at + 5, random.choice(sides), random.choice(sides))
    return bytes(changed)


def webp_sides(random: Random, content: bytes) -> bytes:
    """The canvas's, or those of the only frame."""
    changed = bytearray(content)
    for tag, at in ((b"VP8X", 12), (b"VP8 ", 14), (b"VP8L", 9)):
        found = content.find(tag)
        if found > 0:
            struct.pack_into("<I", changed, found + at, random.choice(_SIDES))
    return bytes(changed)


def odd_metadata(random: Random, sample: Sample) -> Sample:
    """EXIF and profiles that are none, in the formats that carry them."""
    image = Image.open(io.BytesIO(sample.files[sample.path]))
    exif = Image.Exif()
    exif[0x0112] = random.choice((0, 5, 9, 65_535))
    junk = random.choice((b"", random.randbytes(200), b"Exif\0\0MM\0*" + b"\xff" * 40))
    options = random.choice(({"exif": junk}, {"exif": exif}, {"icc_profile": junk},
                             {"icc_profile": _odd_profile(random)}))  # fmt: skip
    kind = image.format or "PNG"
    try:
        return sample.with_file(sample.path, saved(image.convert("RGB"), kind, **options))
    except (OSError, ValueError, RuntimeError):  # metadata that the encoder refuses
        return sample


def _odd_profile(random: Random) -> bytes:
    made = ImageCms.createProfile(random.choice(("sRGB", "LAB", "XYZ")))
    profile = bytearray(ImageCms.ImageCmsProfile(made).tobytes())
    for _ in range(random.choice((0, 1, 20))):
        profile[random.randrange(len(profile))] = random.randrange(256)
    return bytes(profile)


def odd_sides(random: Random, sample: Sample) -> Sample:
    """Valid, and of a shape that nobody thought of."""
    size = random.choice(((1, 1), (1, 3), (3, 1), (1, 900), (900, 1), (4, 5), (5, 4)))
    kind = Image.open(io.BytesIO(sample.files[sample.path])).format or "PNG"
    mode = random.choice(("RGB", "L", "RGBA", "1", "P", "LA"))
    try:
        return sample.with_file(sample.path, saved(Image.new(mode, size), kind))
    except (OSError, ValueError):  # a mode that the format has not
        return sample.with_file(sample.path, saved(Image.new("RGB", size), kind))


def other_format(random: Random, sample: Sample) -> Sample:
    """What another program made under this suffix: formats that are not read among them."""
    kind = random.choice(
        ("EPS", "PDF", "ICO", "TGA", "PCX", "SGI", "JPEG2000", "PNG", "IM", "MSP", "DDS")
    )
    image = rgb().convert("1") if kind == "MSP" else rgb()
    return sample.with_file(sample.path, saved(image, kind))


def _of_bytes(change: Callable[[Random, bytes], bytes]) -> Mutation:
    def mutate(random: Random, sample: Sample) -> Sample:
        return sample.with_file(sample.path, change(random, sample.files[sample.path]))

    return mutate


_METADATA: dict[str, Mutation] = {"odd metadata": odd_metadata}
_COMMON: dict[str, Mutation] = {"odd sides": odd_sides, "other format": other_format}
MUTATIONS: dict[str, dict[str, Mutation]] = {
    "jpeg": {**_COMMON, **_METADATA, "sides": _of_bytes(jpeg_sides)},
    "png": {**_COMMON, **_METADATA, "sides": _of_bytes(png_sides), "bomb": _of_bytes(png_bomb)},
    "webp": {**_COMMON, **_METADATA, "sides": _of_bytes(webp_sides)},
    "gif": {**_COMMON, "sides": _of_bytes(gif_sides)},
    "tiff": {**_COMMON, **_METADATA, "tags": _of_bytes(tiff_tags), "bomb": _of_bytes(tiff_bomb)},
    "bmp": {**_COMMON, "sides": _of_bytes(bmp_header)},
    "ppm": {"header": _of_bytes(ppm_header), "other format": other_format},
}
