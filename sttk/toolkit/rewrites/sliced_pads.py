"""Reflection and replication pads, as slices of the picture concatenated to it.

Along one axis of length n, a reflection pad of p before and q after is

    x[p], ..., x[1], x[0], ..., x[n - 1], x[n - 2], ..., x[n - 1 - q],

and a replication pad is p times x[0], x, and q times x[n - 1]: values are moved, none is computed.
Rows are padded first, because they are contiguous in memory.

Why: XNNPACK has no such pad. In ExecuTorch each becomes index arithmetic and gathers outside the
delegate: with upsampling, they split a mobile net's graph into 14 parts, which is otherwise one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.rewrites.modules import names_of, replaced

NAME = "sliced-pads"
# No value is computed, so rounding changes nothing.
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")
_KINDS = (nn.ReflectionPad2d, nn.ReplicationPad2d)


class SlicedPad(nn.Module):
    """The same function as ``pad``: (B, C, H, W) -> (B, C, H + top + bottom, W + left + right)."""

    def __init__(self, pad: nn.ReflectionPad2d | nn.ReplicationPad2d) -> None:
        super().__init__()
        self.padding = pad.padding  # left, right, top, bottom
        self.reflect = isinstance(pad, nn.ReflectionPad2d)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        left, right, top, bottom = self.padding
        return self._along(self._along(x, 2, top, bottom), 3, left, right)

    def _along(self, x: Tensor, axis: int, before: int, after: int) -> Tensor:
        final = x.shape[axis] - 1
        heads = range(before, 0, -1) if self.reflect else [0] * before
        tails = range(final - 1, final - 1 - after, -1) if self.reflect else [final] * after
        if not before and not after:
            return x
        lines = [[x.narrow(axis, index, 1) for index in indices] for indices in (heads, tails)]
        return torch.cat([*lines[0], x, *lines[1]], axis)


def rewrite(net: StyleNet) -> tuple[StyleNet, int]:
    """Replace every reflection or replication pad by a :class:`SlicedPad`, keeping the function.

    Returns:
        A new net (or ``net`` itself if there is nothing to do), and the number of replacements.

    Raises:
        ExportError: the new net computes another function.
    """
    return replaced(NAME, net, names_of(net, *_KINDS), SlicedPad)
