"""Fake quantisation: a style net whose convolutions compute int8 arithmetic in float."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sttk.toolkit.core.errors import ExportError
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.quantize.affine import HIGHEST, LOWEST, Affine
from sttk.toolkit.quantize.calibrate import Calibration
from sttk.toolkit.quantize.float8 import Float8Conv

_SMALLEST_SCALE = 1e-12  # for a channel whose weights are all zero

# torch.export needs this operation's output shape where a size is free, and torch 2.13 has no meta
# kernel for it.
_ATEN = torch.library.Library("aten", "IMPL")  # type: ignore[no-untyped-call]


def _shape_of_fake_quantize(x: Tensor, *_: object) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x), torch.empty_like(x, dtype=torch.bool)


_ATEN.impl(  # type: ignore[no-untyped-call]
    "fake_quantize_per_tensor_affine_cachemask", _shape_of_fake_quantize, "Meta"
)


class QuantConv(nn.Module):
    """A convolution with its input and its weights rounded to int8: (B, C, H, W) -> (B, D, H', W').

    The weights have a scale for each output channel and no zero point. The bias stays float: it is
    added after the sum, and TensorRT accepts no other.

    Args:
        conv: the convolution to quantise; its zero padding, if any, applies to the quantised input.
        affine: the quantisation of the input.
        symmetric: whether to use no zero point, for runtimes that accept none. The input is shifted
            by -scale * zero_point instead, and the bias compensates, so the result is the same.
        least_scale: the least scale of the weights, for runtimes that store scales in float16. The
            input is divided by a power of two and the weights are multiplied by it if necessary,
            so the result is the same.
        output: the quantisation of the output, or None to leave it in float.
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
        self._raise_scales(least_scale)
        if symmetric and affine.zero_point:
            self._remove_zero_point()

    def _raise_scales(self, least: float) -> None:
        used = self.scales[self.scales > _SMALLEST_SCALE]
        if not len(used) or used.min() >= least:
            return
        self.divisor = 2.0 ** math.ceil(math.log2(least / used.min().item()))
        self.scale /= self.divisor
        self.scales *= self.divisor
        self.conv.weight.data.mul_(self.divisor)

    def _remove_zero_point(self) -> None:
        if any(self.conv.padding):
            raise ExportError(
                "int8 without zero points: a convolution that pads zeros has an input whose zero "
                "point is not 0",
                fix="export to a target with zero points (onnx, openvino), or in fp16",
            )
        self.zero_point, self.shift = 0, -self.scale * self.zero_point
        bias = self.conv.bias if self.conv.bias is not None else torch.zeros_like(self.scales)
        compensated = bias + self.shift * self.rounded_weight().sum((1, 2, 3))
        self.conv.bias = nn.Parameter(compensated, requires_grad=False)

    def rounded_weight(self) -> Tensor:
        """Return the weight (D, C, K, K), rounded to whole multiples of each channel's scale."""
        # torch accepts scales only in float32, even for weights in float64.
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
    """Return a copy of ``net`` with the convolutions in ``calibration`` quantised.

    ``symmetric`` and ``least_scale``, as in :class:`QuantConv`, do not change the function.

    Raises:
        ExportError: a convolution pads zeros, and its input has a zero point that may not be.
        ValueError: a name in ``calibration`` is not a convolution of the net.
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
    """Return a copy of ``net`` with each :class:`QuantConv` in a form that can be exported."""
    changed = copy.deepcopy(net)
    for name, module in list(changed.named_modules()):
        if isinstance(module, QuantConv):
            changed.set_submodule(name, form(module))
    return changed.eval()
