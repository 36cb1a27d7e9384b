"""Photographs and what several nets make of them, on one sheet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.images import Bytes, from_batch
from sttk.toolkit.imaging.regimes import photographs
from sttk.toolkit.imaging.sheet import sheet
from sttk.toolkit.runtimes.torch import TorchRunner


def side_by_side(files: Iterable[Path], nets: Mapping[str, StyleNet], side: int = 256) -> Bytes:
    """A row a photograph: itself, and then each net's picture of it under the net's name.

    Args:
        files: photographs; each is cut to a square.
        nets: by name.
        side: of the squares in pixels, a multiple of four.

    Returns:
        (H, W, 3) uint8.
    """
    runners = [TorchRunner(net) for net in nets.values()]
    rows = [
        [from_batch(photo), *(from_batch(runner.run(photo)) for runner in runners)]
        for photo in photographs(list(files), (side, side))
    ]
    return sheet(rows, ["photograph", *nets])
