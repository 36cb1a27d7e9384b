from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from sttk.toolkit.core.errors import ImageError
from sttk.toolkit.imaging import images
from sttk.toolkit.imaging.images import Picture, list_images, read_image, write_image

GREY = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4


def save(path, image, **options):
    image.save(path, **options)
    return read_image(path)


def test_grey_palette_and_cmyk_become_rgb(tmp_path):
    grey = Image.fromarray(GREY)
    assert (save(tmp_path / "l.png", grey).rgb == GREY[..., None]).all()
    palette = grey.convert("P")
    assert save(tmp_path / "p.png", palette).rgb.shape == (8, 8, 3)
    cmyk = Image.new("CMYK", (8, 8), (255, 0, 0, 0))  # cyan
    assert save(tmp_path / "c.tif", cmyk).rgb[0, 0].tolist() == [0, 255, 255]
    assert save(tmp_path / "1.png", grey.convert("1")).rgb.max() == 255


def test_16_bits_are_scaled_not_clipped(tmp_path):
    deep = Image.fromarray(GREY.astype(np.uint16) * 257)
    assert (save(tmp_path / "deep.png", deep).rgb == GREY[..., None]).all()


def test_alpha_is_kept_apart(tmp_path):
    rgba = np.dstack([np.full((8, 8, 3), 200, np.uint8), GREY])
    picture = save(tmp_path / "a.png", Image.fromarray(rgba))
    assert (picture.alpha == GREY).all()
    assert (picture.rgb == 200).all()
    write_image(tmp_path / "out.png", picture)
    assert (read_image(tmp_path / "out.png").alpha == GREY).all()
    with pytest.raises(ImageError, match="no opacity in this format"):
        write_image(tmp_path / "out.jpg", picture)
    opaque = np.dstack([np.full((8, 8, 3), 200, np.uint8), np.full((8, 8), 255, np.uint8)])
    assert save(tmp_path / "o.png", Image.fromarray(opaque)).alpha is None


def test_transparent_palette(tmp_path):
    image = Image.new("P", (4, 4), 0)
    picture = save(tmp_path / "t.gif", image, transparency=0)
    assert picture.alpha is not None
    assert picture.alpha.max() == 0


def test_exif_rotation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise to view
    image = Image.fromarray(np.dstack([GREY[:4]] * 3))
    picture = save(tmp_path / "r.png", image, exif=exif)
    assert picture.rgb.shape == (8, 4, 3)
    assert (picture.rgb[:, -1, 0] == GREY[0]).all()


def bomb(path, side):
    """A PNG whose header alone says that it is large."""

    def chunk(kind, data):
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 9))
    )


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
def test_what_is_no_picture_is_one_clear_error(tmp_path, content):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"x\.png: not a readable picture"):
        read_image(path)


def test_truncated_missing_and_huge(tmp_path):
    path = tmp_path / "half.jpg"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ImageError, match="truncated"):
        read_image(path)
    with pytest.raises(ImageError, match="no such file"):
        read_image(tmp_path / "none.png")
    path = tmp_path / "bomb.png"
    for side in (14_500, 60_000):
        bomb(path, side)
        with pytest.raises(ImageError, match="pixels"):
            read_image(path)


def test_colours_are_brought_from_the_file_s_profile(tmp_path):
    # A profile whose red and blue primaries have changed places: 200, 0, 0 in it is blue in sRGB.
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    image = Image.new("RGB", (8, 8), (200, 0, 0))
    picture = save(tmp_path / "p.png", image, icc_profile=bytes(profile))
    assert picture.rgb[0, 0, 2] > 150
    assert picture.rgb[0, 0, 0] < 50
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = save(tmp_path / "s.png", image, icc_profile=srgb)
    assert abs(same.rgb.astype(int) - (200, 0, 0)).max() <= 2
    with pytest.raises(ImageError, match="not a readable picture"):
        save(tmp_path / "b.png", image, icc_profile=b"broken")


def test_sides_that_a_format_cannot_hold_leave_nothing(tmp_path):
    tall = Picture(np.zeros((17_000, 1, 3), np.uint8))
    with pytest.raises(ImageError, match="cannot be written"):
        write_image(tmp_path / "x.webp", tall)
    assert not list(tmp_path.iterdir())


def test_other_formats_than_those_named_are_not_decoded(tmp_path):
    (tmp_path / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    with pytest.raises(ImageError, match="not a readable picture"):
        read_image(tmp_path / "x.png")


def test_bound_is_ours(tmp_path, monkeypatch):
    Image.new("RGB", (10, 10)).save(tmp_path / "x.png")
    monkeypatch.setattr(images, "MAX_PIXELS", 99)
    with pytest.raises(ImageError, match="10x10 is more than 99 pixels"):
        read_image(tmp_path / "x.png")


def test_writing_is_whole_or_not_at_all(tmp_path):
    picture = Picture(np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(ImageError, match="unknown picture suffix"):
        write_image(tmp_path / "x.xyz", picture)
    (tmp_path / "file").write_text("")
    with pytest.raises(ImageError, match="cannot be written"):
        write_image(tmp_path / "file" / "x.png", picture)
    write_image(tmp_path / "new" / "x.png", picture)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["x.png"]


def test_list_images(tmp_path):
    for name in ("b.JPG", "a.png", "c.txt"):
        (tmp_path / name).write_text("")
    assert [p.name for p in list_images(tmp_path)] == ["a.png", "b.JPG"]
    with pytest.raises(ImageError, match="no such folder"):
        list_images(tmp_path / "none")
