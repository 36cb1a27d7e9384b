"""Nearest x2 and a 3x3 convolution, as one transposed convolution of stride 2.

Row t of the doubled picture is row floor(t / 2) of the small one. So, for one axis,

    y[t] = sum over u of W[u] x2[t + u - 1] = sum over i of x[i] (W[1 - d] + W[2 - d]), d = t - 2 i,

since t + u - 1 is 2 i or 2 i + 1 where u is 1 - d or 2 - d, and W = 0 outside 0, 1, 2. d runs over
-1, 0, 1, 2, so this is a transposed convolution with the kernel [W2, W1 + W2, W0 + W1, W0], and the
same along the other axis. Reflecting one pixel of the doubled picture repeats the edge of the small
one, which moves i by one, so the padding is 3.

Why this in addition to phase-upsample: the multiplications are the same, and it needs no pixel
shuffle, for which XNNPACK in ExecuTorch has no kernel (it runs two transposes instead). In
ExecuTorch the mobile net took 0.71 to 0.95 of its time with phase-upsample.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.nets.johnson import UpConv
from sttk.toolkit.rewrites.modules import names_of, replaced
from sttk.toolkit.rewrites.same import SIZES

NAME = "transposed-upsample"
# In float16 the summed weights are rounded, and not the weights that are summed. ExecuTorch, for
# which this is meant, cannot compute such weights in float32, so its reference is the float net.
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")


class TransposedUpConv(nn.Module):
    """The same function as nearest x2 and ``conv``: (B, C, H, W) -> (B, D, 2H, 2W).

    Args:
        conv: the 3x3 convolution of an :class:`UpConv`, which pads by reflecting 1 pixel.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        out, channels = conv.weight.shape[:2]
        self.pad = nn.ReplicationPad2d(1)
        self.conv = nn.ConvTranspose2d(channels, out, 4, stride=2, padding=3)
        weight = _kernel(_kernel(conv.weight.detach(), 2), 3).transpose(0, 1).contiguous()
        bias = conv.get_parameter("bias").detach().clone()
        self.conv.weight = nn.Parameter(weight, requires_grad=False)
        self.conv.bias = nn.Parameter(bias, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        y: Tensor = self.conv(self.pad(x))
        return y


def _kernel(weight: Tensor, axis: int) -> Tensor:
    """Expand a kernel from three values along an axis to four."""
    first, middle, final = weight.unbind(axis)
    return torch.stack([final, middle + final, first + middle, first], axis)


def rewrite(net: StyleNet) -> tuple[StyleNet, int]:
    """Replace every :class:`UpConv` by a :class:`TransposedUpConv`, keeping the function.

    Returns:
        A new net (or ``net`` itself if there is nothing to do), and the number of replacements.

    Raises:
        ExportError: the new net computes another function.
    """
    names = names_of(net, UpConv)
    return replaced(NAME, net, names, lambda up: TransposedUpConv(up.conv), (*SIZES, (61, 83)))
