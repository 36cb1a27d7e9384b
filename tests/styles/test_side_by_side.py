"""Photographs and what nets make of them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from sttk.toolkit.core.errors import ImageError
from sttk.toolkit.evaluation.side_by_side import side_by_side
from sttk.toolkit.imaging.images import from_batch
from sttk.toolkit.imaging.regimes import photographs
from sttk.toolkit.imaging.sheet import to_jpeg


def contains(page, picture):
    height, width = picture.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(page, (height, width, 3))[:, :, 0]
    return any(
        (windows[y, x] == picture).all()
        for y, x in np.argwhere((windows[:, :, 0, 0] == picture[0, 0]).all(axis=-1))
    )


def test_every_picture_is_there(photo, net):
    page = side_by_side([photo, photo], {"tiny": net, "same": net}, 32)
    (batch,) = photographs([photo], (32, 32))
    assert page.shape[0] > 2 * 32
    assert page.shape[1] > 3 * 32
    assert contains(page, from_batch(batch))


def test_a_jpeg_is_as_good_as_fits():
    page = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    best = to_jpeg(page, 1_000_000)
    small = to_jpeg(page, len(best) - 1)
    assert len(best) / 2 < len(small) < len(best)
    assert Image.open(io.BytesIO(small)).size == (64, 64)
    with pytest.raises(ImageError, match="no JPEG of 64x64 in 100 bytes"):
        to_jpeg(page, 100)
