"""Losses drawn."""

import numpy as np
import pytest
from PIL import Image

from sttk.toolkit.losses.curve import draw_curve

ROWS = [{"step": float(n), "seconds": 1.0, "style": 1e6 / n, "total": 2e6 / n} for n in (1, 2, 3)]


def test_a_curve_shows_the_losses_it_is_given(tmp_path):
    pytest.importorskip("matplotlib")
    pixels = []
    for name, rows in (("all", ROWS), ("fewer", ROWS[:2])):
        draw_curve(rows, tmp_path / f"{name}.png", title="ink", across="iteration")
        with Image.open(tmp_path / f"{name}.png") as picture:
            pixels.append(np.asarray(picture.convert("RGB")))
    assert (pixels[0] == (0, 114, 178)).all(axis=-1).any()
    assert not np.array_equal(*pixels)
