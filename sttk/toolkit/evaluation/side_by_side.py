"""A contact sheet of photographs and the outputs of several nets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.images import Bytes, from_batch
from sttk.toolkit.imaging.regimes import photographs
from sttk.toolkit.imaging.sheet import sheet
from sttk.toolkit.runtimes.torch import TorchRunner


def side_by_side(files: Iterable[Path], nets: Mapping[str, StyleNet], side: int = 256) -> Bytes:
    """Return a sheet with a row per photograph: the photograph, then the output of each net.

    Args:
        files: the photographs; each is cropped to a square.
        nets: the nets by name; the names are the column headings.
        side: the side of the squares in pixels, a multiple of four.

    Returns:
        (H, W, 3) uint8.
    """
    runners = [TorchRunner(net) for net in nets.values()]
    rows = [
        [from_batch(photo), *(from_batch(runner.run(photo)) for runner in runners)]
        for photo in photographs(list(files), (side, side))
    ]
    return sheet(rows, ["photograph", *nets])
