"""Instance norm over tiles, with the statistics of the whole picture."""

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
    """A norm with unknown statistics was reached, and its input was added to the sums."""


class Statistics(NamedTuple):
    """The mean and (biased) variance of one norm's input, each (B, C) float64."""

    mean: Tensor
    variance: Tensor


@dataclass
class Sums:
    """The sums of the values and of their squares over the tiles so far."""

    count: int = 0
    total: Tensor = field(default_factory=lambda: torch.zeros(()))
    squares: Tensor = field(default_factory=lambda: torch.zeros(()))

    def add(self, values: Tensor) -> None:
        """Add the (B, C, H, W) values of one tile, without its halo."""
        values = values.double()
        self.count += values.shape[2] * values.shape[3]
        self.total = self.total + values.sum((2, 3))
        self.squares = self.squares + values.square().sum((2, 3))

    def statistics(self) -> Statistics:
        """Return the statistics of all values that were added."""
        mean = self.total / self.count
        return Statistics(mean, (self.squares / self.count - mean.square()).clamp_min(0))


class IdentityNorms(OtherNorms):
    """A mode in which norms return their input, so that only local operations are left."""

    def norm(self, call: NormCall) -> Tensor:
        """Return the input."""
        return call.x


class SharedNorms(OtherNorms):
    """A mode in which norms use the statistics of the whole picture, as far as they are known.

    Args:
        known: the statistics of the first norms, in the order in which they run.
        sums: the sums to which the input of the next norm is added.
        tile: the tile being run.
    """

    def __init__(self, known: Sequence[Statistics], sums: Sums, tile: Tile) -> None:
        super().__init__()
        self.known, self.sums, self.tile = known, sums, tile
        self._next = 0

    def norm(self, call: NormCall) -> Tensor:
        """Normalise with the known statistics; raise Reached at the first unknown norm."""
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
    """Return the radius of the net's receptive field in pixels, ignoring norms.

    It is measured by the spread of a patch of NaN, which propagates through every operation.

    Raises:
        UsageError: the radius is larger than ``most``, as if the net used the whole picture.
    """
    side = 256
    while side <= 2 * most + PATCH:
        begin = side // 2
        picture = torch.zeros(1, 3, side, side)
        picture[:, :, begin : begin + PATCH, begin : begin + PATCH] = torch.nan
        with torch.inference_mode(), IdentityNorms():
            reached = net(picture).isnan().any(1)[0].nonzero()
        low, high = int(reached.min()), int(reached.max())
        if low > 0 and high < side - 1:
            return max(begin - low, high - (begin + PATCH - 1))
        side *= 2
    raise UsageError("this net cannot be run in tiles: it looks at the whole picture")


# In pixels: no net here has a larger stride, so the patch covers every phase of it.
PATCH = 16
