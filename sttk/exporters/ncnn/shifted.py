"""A quantised convolution in a form for pnnx: a plain one, whose weights are already rounded."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from sttk.toolkit.quantize.fake import QuantConv


class ShiftedConv(nn.Module):
    """A convolution of (B, C, H, W) whose input ncnn rounds to int8, without a zero point.

    Args:
        quantised: the convolution to compute; its ``scale`` is that of the input, its ``scales``
            are those of the weights.
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
