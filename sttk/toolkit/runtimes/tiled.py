"""PyTorch in tiles: the same result as :class:`TorchRunner`, in memory that grows only with the
input and output pictures, not with the features.
"""

from __future__ import annotations

import numpy as np
import torch

from sttk.toolkit.core.errors import RunError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.host.memory import check_fits
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.runtimes.base import Closing
from sttk.toolkit.runtimes.tiles.cut import STEP, Tile, cut
from sttk.toolkit.runtimes.tiles.norms import Reached, SharedNorms, Statistics, Sums, radius


class TiledRunner(Closing):
    """A runner that runs a style net in PyTorch, tile by tile.

    Args:
        net: a net whose output has the size of its input.
        tile: the side of a tile in pixels, without its halo.

    Raises:
        UsageError: the net's receptive field is the whole picture.
    """

    name = "torch"
    takes = Shapes.any()
    # Float32 input and output, and the copies made when they are converted.
    bytes_per_pixel = 60

    def __init__(self, net: StyleNet, tile: int) -> None:
        self.net, self.tile = net, tile
        self.halo = radius(net)
        self.notes: tuple[str, ...] = (f"in tiles of {tile} px with {self.halo} px around them",)

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        height, width = batch.shape[2:]
        most = self.tile + 2 * (self.halo + STEP)
        check_fits(min(height, most), min(width, most), fix="pass a smaller --tile")
        output = np.empty(
            (len(batch), 3, *self.net.contract.output_size(height, width)), np.float32
        )
        known: list[Statistics] = []
        try:
            with torch.inference_mode():
                while (found := self._pass(batch, known, output)) is not None:
                    known.append(found)
        except RuntimeError as error:
            raise RunError(f"torch: {' '.join(str(error).split())[:200]}") from error
        return output

    def _pass(self, batch: Floats, known: list[Statistics], output: Floats) -> Statistics | None:
        """Run all tiles up to the first norm with unknown statistics, and return those.

        If all norms are known, run the tiles to the end and write them into ``output``.
        """
        sums = Sums()
        for tile in cut((batch.shape[2], batch.shape[3]), self.tile, self.halo):
            try:
                _put(output, tile, self._run(batch, tile, known, sums))
            except Reached:
                continue
        return sums.statistics() if sums.count else None

    def _run(self, batch: Floats, tile: Tile, known: list[Statistics], sums: Sums) -> Floats:
        rows, columns = tile.rows, tile.columns
        part = batch[:, :, rows.first : rows.last, columns.first : columns.last]
        with SharedNorms(known, sums, tile):
            styled: Floats = self.net(torch.from_numpy(np.ascontiguousarray(part))).numpy()
        return styled


def _put(output: Floats, tile: Tile, styled: Floats) -> None:
    rows, columns = tile.within(styled.shape[2], styled.shape[3])
    own = styled[:, :, rows, columns]
    top, left = tile.rows.begin, tile.columns.begin
    output[:, :, top : top + own.shape[2], left : left + own.shape[3]] = own
