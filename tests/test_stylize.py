from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from sttk.commands import stylize as command
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import ImageError, UsageError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.imaging.images import Picture, to_batch
from sttk.toolkit.runtimes.base import Closing
from sttk.toolkit.runtimes.stylize import Look, scale_down, stylize
from sttk.toolkit.runtimes.torch import TorchRunner

CONTRACT = Contract(size_multiple=4, smallest_side=5)


class Recorder(Closing):
    """Inverts, and notes the shapes that it was given."""

    name = "recorder"

    def __init__(self, size=None):
        self.takes = Shapes.fixed(*size) if size else Shapes.any()
        self.shapes = []

    def run(self, batch):
        self.shapes.append(batch.shape)
        return 255 - batch


def picture(height, width, alpha=False):
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Picture(rgb, rgb[..., 0] if alpha else None)


@pytest.mark.parametrize(
    ("size", "padded"),
    [((8, 12), (8, 12)), ((9, 13), (12, 16)), ((1, 1), (8, 8)), ((3, 50), (8, 52))],
)
def test_pads_to_the_multiple_and_crops_back(size, padded):
    runner, original = Recorder(), picture(*size)
    styled = stylize(original, runner, CONTRACT)
    assert runner.shapes == [(1, 3, *padded)]
    assert (styled.rgb == 255 - original.rgb).all()


def test_a_model_of_one_size_takes_smaller_pictures_only():
    runner = Recorder(size=(16, 16))
    assert stylize(picture(9, 16), runner, CONTRACT).rgb.shape == (9, 16, 3)
    assert runner.shapes == [(1, 3, 16, 16)]
    with pytest.raises(UsageError, match=r"17x16.*16x16.*--max-size"):
        stylize(picture(17, 16), runner, CONTRACT)


def test_strength_blends():
    original = picture(8, 8)
    half = stylize(original, Recorder(), CONTRACT, Look(0.5)).rgb.astype(int)
    assert (abs(half - 127.5) <= 0.5).all()
    assert (stylize(original, Recorder(), CONTRACT, Look(0.0)).rgb == original.rgb).all()


def test_preserve_color_keeps_hue_and_takes_light():
    red = Picture(np.full((8, 8, 3), (110, 70, 70), np.uint8))
    styled = stylize(red, Recorder(), CONTRACT, Look(preserve_color=True)).rgb
    before = np.array(Image.fromarray(red.rgb).convert("YCbCr"))
    after = np.array(Image.fromarray(styled).convert("YCbCr"))
    assert abs(after[0, 0, 1:].astype(int) - before[0, 0, 1:]).max() <= 3
    assert after[0, 0, 0] > before[0, 0, 0] + 40


def test_alpha_passes_through():
    original = picture(8, 8, alpha=True)
    assert (stylize(original, Recorder(), CONTRACT).alpha == original.alpha).all()


def test_through_a_real_net(net):
    original = picture(30, 41)
    whole = stylize(picture(32, 44), TorchRunner(net), net.contract).rgb
    assert whole.shape == (32, 44, 3)
    assert whole.std() > 1
    assert stylize(original, TorchRunner(net), net.contract).rgb.shape == (30, 41, 3)


def test_scale_down():
    assert scale_down(picture(100, 50, alpha=True), 20).rgb.shape == (20, 10, 3)
    assert scale_down(picture(100, 50, alpha=True), 20).alpha.shape == (20, 10)
    small = picture(10, 5)
    assert scale_down(small, 20) is small


def test_batches_are_0_to_255_channels_first():
    batch = to_batch(picture(2, 3).rgb)
    assert batch.shape == (1, 3, 2, 3)
    assert batch.dtype == np.float32
    assert batch.max() > 1


def test_standard_input_of_too_many_bytes(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(bytes(100))))
    monkeypatch.setattr("sttk.toolkit.io.files.MOST_BYTES", 99)
    with pytest.raises(ImageError, match="standard input: more than 99 bytes"):
        command._read("-")
