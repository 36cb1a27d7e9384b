"""A convolution with a large kernel and few output channels, as a strided one with many.

With stride s, phases a, b in 0..s-1 and W = 0 outside its k x k:

    y[o, s i + a, s j + b] = sum over c, u, v of W[o, c, u, v] x[c, s i + a + u, s j + b + v]
                           = sum over c, p, q of W[o, c, p - a, q - b] x[c, s i + p, s j + q]

which is a convolution of stride s with a kernel of k + s - 1 to o s s channels, (o, a, b), laid out
by pixel_shuffle (depth to space).

Why: CPU convolution kernels compute 8 or 16 output channels at once, and the last layer of a
Johnson net, 9x9 to RGB at full size, wastes all but three of them: it takes a quarter of the net's
time in ONNX Runtime. Rewritten, it takes (12 / 9)^2 = 1.8 times the multiplications, and a third of
the time.

Known limits: the sides of the output must be multiples of s, as they are in nets that halve their
pictures twice. Speedups at 512x512 on one thread of a CPU with AVX-512, seven rounds interleaved
with the original net: 1.20 in ONNX Runtime, 1.13 in OpenVINO in float32, 1.15 in bf16. A stride of
2 gave 1.16, 1.16 and 1.15, a stride of 8 gave less. Not measured elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.rewrites.modules import replaced
from sttk.toolkit.rewrites.same import SIZES

NAME = "wide-head"
# Those in which it was measured. Weights are copied, not summed, so it would hold in float16 too.
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")
STRIDE = 4
_FEW_CHANNELS, _LARGE_KERNEL = 4, 7


class WideConv(nn.Module):
    """The same function as ``conv``: (B, C, H, W) -> (B, D, H', W'), H' and W' multiples of s.

    Args:
        conv: a convolution of stride 1, without dilation or groups, with no padding but zeros.
        stride: the stride s of the new convolution.
    """

    def __init__(self, conv: nn.Conv2d, stride: int = STRIDE) -> None:
        super().__init__()
        out, channels, rows, columns = conv.weight.shape
        side = stride - 1
        weight = conv.weight.new_zeros(out, stride, stride, channels, rows + side, columns + side)
        for a in range(stride):
            for b in range(stride):
                weight[:, a, b, :, a : a + rows, b : b + columns] = conv.weight.detach()
        self.stride = stride
        self.conv = nn.Conv2d(
            channels, out * stride**2, (rows + side, columns + side), stride,
            (int(conv.padding[0]), int(conv.padding[1])), bias=conv.bias is not None,
        )  # fmt: skip
        self.conv.weight = nn.Parameter(weight.flatten(0, 2), requires_grad=False)
        if conv.bias is not None:
            bias = conv.bias.detach().repeat_interleave(stride**2)
            self.conv.bias = nn.Parameter(bias, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return F.pixel_shuffle(self.conv(x), self.stride)


def rewrite(net: StyleNet) -> tuple[StyleNet, int]:
    """Replace large-kernel convolutions to few channels by :class:`WideConv`, keeping the function.

    Returns:
        A new net (or ``net`` itself if there is nothing to do), and the number of replacements.

    Raises:
        ExportError: the new net computes another function.
    """
    least = net.contract.smallest_side
    sizes = (*SIZES, (max(61, least), max(83, least)))  # the second has sides that are no multiples
    return replaced(NAME, net, _suited(net, sizes), WideConv, sizes)


def _suited(net: StyleNet, sizes: Sequence[Size]) -> list[str]:
    """Return the names of the convolutions that can be replaced.

    Their outputs have sides that are multiples of ``STRIDE`` at every one of the sizes.
    """
    outputs: dict[str, list[int]] = {}
    hooks = [
        module.register_forward_hook(
            lambda _module, _inputs, y, name=name: outputs.setdefault(name, []).extend(y.shape[2:])
        )
        for name, module in net.named_modules()
        if _is_wide(module)
    ]
    try:
        with torch.inference_mode():
            for size in sizes if hooks else ():
                net(torch.zeros(1, 3, *size))
    finally:
        for hook in hooks:
            hook.remove()
    return [name for name, sides in outputs.items() if not any(side % STRIDE for side in sides)]


def _is_wide(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and module.out_channels <= _FEW_CHANNELS
        and min(module.kernel_size) >= _LARGE_KERNEL
        and {*module.stride, *module.dilation, module.groups} == {1}
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )
