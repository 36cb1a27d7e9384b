"""Found by the fuzzer in pictures, each with the smallest input that shows it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from sttk.toolkit.core.errors import ImageError
from sttk.toolkit.host import memory
from sttk.toolkit.imaging import images
from tests.hostile.refusal import refused


def test_pictures_that_do_not_fit_are_not_decoded(tmp_path, monkeypatch):
    Image.new("RGB", (100, 100)).save(tmp_path / "x.png")
    monkeypatch.setattr(memory, "available", lambda: 100_000)
    monkeypatch.setattr(images, "_decode", lambda image: pytest.fail("it was decoded"))
    refused(ImageError, images.read_image, tmp_path / "x.png", saying="scale it down first")


@pytest.mark.parametrize("mode", ["F", "I;16"])
def test_deep_pictures_take_no_floats_of_their_size(mode, tmp_path):
    rows = np.arange(3000, dtype=np.float32)[:, None] * np.ones((1, 2000), np.float32)
    values = rows / 12 if mode == "F" else (rows * 20).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "x.tif")
    before = memory.peak()
    picture = images.read_image(tmp_path / "x.tif")
    wanted = np.rint(values.astype(np.float64) / (1 if mode == "F" else 257)).astype(np.uint8)
    assert (picture.rgb[..., 0] == wanted).all()
    assert before is not None


def test_libtiff_is_quiet(tmp_path, capfd):
    Image.new("RGB", (40, 40)).save(tmp_path / "x.tif", compression="jpeg")
    content = bytearray((tmp_path / "x.tif").read_bytes())
    at = content.index(b"\xff\xda")
    content[at + 5] ^= 0x5A
    (tmp_path / "x.tif").write_bytes(content)
    refused(ImageError, images.read_image, tmp_path / "x.tif")
    assert capfd.readouterr().err == ""


def test_pillow_does_not_log_what_it_raises(tmp_path):
    """In a process of its own: pytest listens to logs."""
    Image.new("RGB", (8, 8)).save(tmp_path / "x.tif")
    content = (tmp_path / "x.tif").read_bytes()
    samples = b"\x15\x01\x03\x00\x01\x00\x00\x00"  # SamplesPerPixel, one short
    assert samples in content
    at = content.index(samples) + len(samples)
    (tmp_path / "x.tif").write_bytes(content[:at] + b"\x0d" + content[at + 1 :])
    program = "from pathlib import Path; from sttk.toolkit.imaging.images import read_image\n"
    program += "try: read_image(Path('x.tif'))\nexcept Exception as error: print(error)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "not a readable picture" in done.stdout
    assert done.stderr == ""
