"""float8 (E4M3, no infinity): x is approximated by scale * f, f a float8 from -448 to 448."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sttk.toolkit.quantize.affine import Affine, Values

LARGEST = 448.0  # largest E4M3FN value (Micikevicius et al. 2022, table 1)
_SMALLEST_SCALE = 1e-12
# TensorRT for RTX 1.7 silently runs larger kernels in float32, even with quantisers.
_LARGEST_KERNEL_AREA = 32


def fit(values: Values) -> Affine:
    """Return the scale that maps the largest value to the format's; floats stay fine near 0."""
    largest = float(abs(values).max(initial=0.0))
    return Affine(largest / LARGEST or 1.0, 0)


def has_kernel(conv: nn.Module) -> bool:
    """Return whether hardware has a float8 kernel for a convolution."""
    if not isinstance(conv, nn.Conv2d):
        return False
    return conv.kernel_size[0] * conv.kernel_size[1] <= _LARGEST_KERNEL_AREA


# A custom operation, so that exporters can translate it to their format.
@torch.library.custom_op("sttk::fake_float8", mutates_args=())
def fake_float8(x: Tensor, scale: Tensor, axis: int) -> Tensor:
    """Round ``x`` to float8 times ``scale``: one number, or one for each slice along ``axis``."""
    shape = [1] * x.ndim
    if scale.ndim:
        shape[axis] = -1
    scale = scale.reshape(shape)
    # torch's cast gives NaN beyond the largest value, while QuantizeLinear saturates.
    rounded = (x / scale).clamp(-LARGEST, LARGEST).to(torch.float8_e4m3fn)
    return rounded.to(x.dtype) * scale


@fake_float8.register_fake
def _(x: Tensor, scale: Tensor, axis: int) -> Tensor:  # noqa: ARG001
    return torch.empty_like(x)


class Float8Conv(nn.Module):
    """A convolution with input and weights rounded to float8: (B, C, H, W) -> (B, D, H', W')."""

    input_scale: Tensor
    scales: Tensor

    def __init__(self, conv: nn.Conv2d, affine: Affine) -> None:
        super().__init__()
        self.conv = conv
        scales = conv.weight.abs().amax((1, 2, 3)).div(LARGEST).clamp_min(_SMALLEST_SCALE)
        self.register_buffer("input_scale", torch.tensor(affine.scale))
        self.register_buffer("scales", scales)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        conv = self.conv
        x, weight = fake_float8(x, self.input_scale, 0), fake_float8(conv.weight, self.scales, 0)
        return F.conv2d(x, weight, conv.bias, conv.stride, conv.padding, conv.dilation, conv.groups)
