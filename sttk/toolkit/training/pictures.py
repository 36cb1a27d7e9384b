"""The pictures of a run: the painting, and previews of the net's output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sttk.toolkit.core.errors import ImageError
from sttk.toolkit.imaging.images import Picture, from_batch, read_image, to_batch
from sttk.toolkit.nets.trainable import Net
from sttk.toolkit.runtimes.stylize import scale_down

_PREVIEW_SIDE = 256
# relu4_3 has an eighth of the resolution.
_LEAST_SIDE = 32


def painting_batch(path: Path, longer_side: int) -> Tensor:
    """Read the painting as (1, 3, H, W) float32 in 0..255, scaled down to ``longer_side``.

    Raises:
        ImageError: it cannot be read, or is too narrow to compute style statistics from.
    """
    painting = scale_down(read_image(path), longer_side)
    height, width = painting.rgb.shape[:2]
    if min(height, width) < _LEAST_SIDE:
        raise ImageError(f"{path}: {width}x{height} is too small for a painting")
    return torch.from_numpy(to_batch(painting.rgb))


def preview(net: Net, files: list[Path]) -> Picture:
    """Return one picture with the photographs in a row above their stylised versions."""
    columns = []
    for file in files:
        rgb = read_image(file).rgb
        square = min(rgb.shape[:2])
        photo = Image.fromarray(rgb[:square, :square]).resize((_PREVIEW_SIDE, _PREVIEW_SIDE))
        batch = to_batch(np.array(photo))
        with torch.inference_mode():
            styled = from_batch(net(torch.from_numpy(batch)).clamp(0, 255).numpy())
        columns.append(np.vstack([np.array(photo), styled]))
    return Picture(np.hstack(columns))
