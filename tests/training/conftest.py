"""A folder of photographs to train on."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def content(tmp_path):
    folder = tmp_path / "content"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        rgb = rng.integers(0, 256, (50 + 10 * i, 70, 3), dtype=np.uint8)
        Image.fromarray(rgb).save(folder / f"{i}.jpg")
    return folder
