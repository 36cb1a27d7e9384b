"""Instance norm over tiles: statistics that are the whole picture's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.nets.norm_call import NormCall, OtherNorms
from sttk.toolkit.runtimes.tiles.cut import Tile


class Reached(Exception):  # noqa: N818 -- a signal, as StopIteration is
    """A norm whose statistics are not known yet was reached, and its input taken into account."""


class Statistics(NamedTuple):
    """Of one norm's input: mean and (biased) variance, each (B, C) float64."""

    mean: Tensor
    variance: Tensor


@dataclass
class Sums:
    """Of values, and of their squares, over the tiles so far."""

    count: int = 0
    total: Tensor = field(default_factory=lambda: torch.zeros(()))
    squares: Tensor = field(default_factory=lambda: torch.zeros(()))

    def add(self, values: Tensor) -> None:
        """(B, C, H, W) of one tile, without its surroundings."""
        values = values.double()
        self.count += values.shape[2] * values.shape[3]
        self.total = self.total + values.sum((2, 3))
        self.squares = self.squares + values.square().sum((2, 3))

    def statistics(self) -> Statistics:
        """Of all that was added."""
        mean = self.total / self.count
        return Statistics(mean, (self.squares / self.count - mean.square()).clamp_min(0))


class NormsAside(OtherNorms):
    """Norms give their input back: what is left of a net looks at neighbourhoods alone."""

    def norm(self, call: NormCall) -> Tensor:
        """See the class."""
        return call.x


class SharedNorms(OtherNorms):
    """Norms with the statistics of the whole picture, as far as they are known.

    Args:
        known: of the first norms, in the order in which they run.
        sums: what the next norm's input is added to.
        tile: that is run.
    """

    def __init__(self, known: Sequence[Statistics], sums: Sums, tile: Tile) -> None:
        super().__init__()
        self.known, self.sums, self.tile = known, sums, tile
        self._next = 0

    def norm(self, call: NormCall) -> Tensor:
        """See the class. Raises Reached at the first norm that is not known."""
        if self._next == len(self.known):
            rows, columns = self.tile.within(call.x.shape[2], call.x.shape[3])
            self.sums.add(call.x[:, :, rows, columns])
            raise Reached
        mean, variance = self.known[self._next]
        self._next += 1
        scale = (variance + call.eps).rsqrt()
        if call.weight is not None:
            scale = scale * call.weight
        shift = -mean * scale if call.bias is None else call.bias - mean * scale
        return call.x * _broadcast(scale, call.x) + _broadcast(shift, call.x)


def _broadcast(values: Tensor, like: Tensor) -> Tensor:
    return values.to(like.dtype)[:, :, None, None]


def radius(net: torch.nn.Module, most: int = 1024) -> int:
    """How far from a pixel of the picture a net's output depends on it, norms aside: pixels.

    Found by what becomes of a patch of NaN: it goes through every operation.

    Raises:
        UsageError: farther than ``most``: the net looks at the whole picture.
    """
    side = 256
    while side <= 2 * most + PATCH:
        begin = side // 2
        picture = torch.zeros(1, 3, side, side)
        picture[:, :, begin : begin + PATCH, begin : begin + PATCH] = torch.nan
        with torch.inference_mode(), NormsAside():
            reached = net(picture).isnan().any(1)[0].nonzero()
        low, high = int(reached.min()), int(reached.max())
        if low > 0 and high < side - 1:
            return max(begin - low, high - (begin + PATCH - 1))
        side *= 2
    raise UsageError("this net cannot be run in tiles: it looks at the whole picture")


# Of pixels: no net here strides further, so every phase of its strides has one.
PATCH = 16
