"""A quantised convolution as pnnx can read it: a plain one, whose weights are already rounded."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from sttk.toolkit.quantize.fake import QuantConv


class ShiftedConv(nn.Module):
    """A convolution whose input ncnn is to round to int8, with no zero point: (B, C, H, W).

    Args:
        quantised: what it is to compute; ``scale`` and ``scales`` are of its input and weights.
    """

    def __init__(self, quantised: QuantConv) -> None:
        super().__init__()
        self.scale, self.scales = quantised.scale, quantised.scales
        self.shift = quantised.shift
        self.conv = copy.deepcopy(quantised.conv)
        self.conv.weight = nn.Parameter(quantised.rounded_weight(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        y: Tensor = self.conv(x - self.shift if self.shift else x)
        return y
