"""The check of a rewrite: the net before it against the net after it, in float64."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch

from sttk.toolkit.core.errors import ExportError
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.core.style_net import StyleNet

# The largest difference, on the scale of 0..255, that float64 rounding leaves of an exact rewrite.
_EXACT = 1e-6
SIZES: Sequence[Size] = ((64, 96),)


def check_same(
    name: str, net: StyleNet, rewritten: StyleNet, sizes: Sequence[Size] = SIZES
) -> None:
    """Raise ExportError if the rewritten net returns another picture at one of the sizes."""
    before, after = (copy.deepcopy(each).double() for each in (net, rewritten))
    seeded = torch.Generator().manual_seed(0)
    for size in sizes:
        x = torch.rand((1, 3, *size), generator=seeded).double() * 255
        with torch.inference_mode():
            largest = (before(x) - after(x)).abs().max().item()
        if not largest <= _EXACT:
            raise ExportError(f"{name} would change the net by {largest:.2g} of 255")
