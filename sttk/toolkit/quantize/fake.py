"""A style net whose convolutions compute what int8 arithmetic computes, in float."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.quantize.affine import HIGHEST, LOWEST, Affine
from sttk.toolkit.quantize.calibrate import Calibration
from sttk.toolkit.quantize.float8 import Float8Conv

_SMALLEST_SCALE = 1e-12  # of a channel whose weights are all zero

# torch.export asks what shape comes out where a size is free, and torch 2.13 does not know it of
# this operation.
_ATEN = torch.library.Library("aten", "IMPL")  # type: ignore[no-untyped-call]


def _shape_of_fake_quantize(x: Tensor, *_: object) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x), torch.empty_like(x, dtype=torch.bool)


_ATEN.impl(  # type: ignore[no-untyped-call]
    "fake_quantize_per_tensor_affine_cachemask", _shape_of_fake_quantize, "Meta"
)


class QuantConv(nn.Module):
    """A convolution with its input and its weights rounded to int8: (B, C, H, W) -> (B, D, H', W').

    The weights have a scale for each output channel and no zero point. The bias stays float: it is
    added after the sum, and TensorRT takes no other.

    Args:
        conv: what to quantise; zero padding, if any, is that of the quantised input.
        affine: of the input.
        symmetric: have no zero point, for those who take none. The input is shifted instead, by
            -scale * zero_point, and the bias makes up for it: the same numbers.
        least_scale: of the weights, for those who keep scales in float16. The input is divided by a
            power of two and the weights multiplied by it, if need be: the same numbers again.
        output: how what it gives is rounded, too, or None.
    """

    scales: Tensor
    zeros: Tensor

    def __init__(
        self,
        conv: nn.Conv2d,
        affine: Affine,
        symmetric: bool = False,
        least_scale: float = 0.0,
        output: Affine | None = None,
    ) -> None:
        super().__init__()
        self.conv, self.output = conv, output
        self.scale, self.zero_point = affine.scale, affine.zero_point
        self.shift, self.divisor = 0.0, 1.0
        scales = conv.weight.abs().amax((1, 2, 3)).div(HIGHEST).clamp_min(_SMALLEST_SCALE)
        self.register_buffer("scales", scales)
        self.register_buffer("zeros", torch.zeros_like(scales, dtype=torch.int32))
        self._have_scales_of(least_scale)
        if symmetric and affine.zero_point:
            self._have_no_zero_point()

    def _have_scales_of(self, least: float) -> None:
        used = self.scales[self.scales > _SMALLEST_SCALE]
        if not len(used) or used.min() >= least:
            return
        self.divisor = 2.0 ** math.ceil(math.log2(least / used.min().item()))
        self.scale /= self.divisor
        self.scales *= self.divisor
        self.conv.weight.data.mul_(self.divisor)

    def _have_no_zero_point(self) -> None:
        if any(self.conv.padding):
            raise ValueError("zeros would be padded that stand for something else")
        self.zero_point, self.shift = 0, -self.scale * self.zero_point
        bias = self.conv.bias if self.conv.bias is not None else torch.zeros_like(self.scales)
        made_up = bias + self.shift * self.rounded_weight().sum((1, 2, 3))
        self.conv.bias = nn.Parameter(made_up, requires_grad=False)

    def rounded_weight(self) -> Tensor:
        """(D, C, K, K), each a whole multiple of its channel's scale."""
        # torch takes scales of float32 alone, whatever the weights are: in float64, too.
        return torch.fake_quantize_per_channel_affine(
            self.conv.weight, self.scales.float(), self.zeros, 0, LOWEST, HIGHEST
        )

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if self.divisor != 1.0:
            x = x * (1.0 / self.divisor)
        if self.shift:
            x = x - self.shift
        x = torch.fake_quantize_per_tensor_affine(x, self.scale, self.zero_point, LOWEST, HIGHEST)
        conv, weight = self.conv, self.rounded_weight()
        y = F.conv2d(x, weight, conv.bias, conv.stride, conv.padding, conv.dilation, conv.groups)
        if self.output is None:
            return y
        return torch.fake_quantize_per_tensor_affine(
            y, self.output.scale, self.output.zero_point, LOWEST, HIGHEST
        )


def fake_quantized(
    net: StyleNet,
    calibration: Calibration,
    symmetric: bool = False,
    least_scale: float = 0.0,
) -> StyleNet:
    """``net`` with the convolutions that ``calibration`` names quantised.

    ``symmetric`` and ``least_scale`` are those of :class:`QuantConv`: another form of one function.

    Raises:
        ValueError: a name that is no convolution of the net's.
    """
    quantized = copy.deepcopy(net)
    modules = dict(quantized.named_modules())
    for name, affine in calibration.inputs.items():
        conv = modules.get(name)
        if not isinstance(conv, nn.Conv2d):
            raise ValueError(  # noqa: TRY004 (it is the name that is wrong)
                f"{name} is no convolution of {net.origin.name}"
            )
        if calibration.format == "fp8":
            quantized.set_submodule(name, Float8Conv(conv, affine))
        else:
            output = calibration.outputs.get(name)
            quantized.set_submodule(name, QuantConv(conv, affine, symmetric, least_scale, output))
    return quantized.requires_grad_(False).eval()


def with_forms(net: nn.Module, form: Callable[[QuantConv], nn.Module]) -> nn.Module:
    """A copy of ``net``, each :class:`QuantConv` in the form that an exporter can write down."""
    changed = copy.deepcopy(net)
    for name, module in list(changed.named_modules()):
        if isinstance(module, QuantConv):
            changed.set_submodule(name, form(module))
    return changed.eval()
