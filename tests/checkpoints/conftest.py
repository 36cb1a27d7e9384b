from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor


@pytest.fixture
def photograph(shared: Path) -> Tensor:
    """(1, 3, 128, 96), a photograph of people, 0..255."""
    with Image.open(shared / "photos/coco_val_000000001296.jpg") as image:
        rgb = np.asarray(image.resize((96, 128)))
    return torch.from_numpy(rgb.astype(np.float32)).permute(2, 0, 1)[None]
