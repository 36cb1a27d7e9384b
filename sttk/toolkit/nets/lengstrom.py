"""The version of Johnson's net in lengstrom/fast-style-transfer (src/transform.py), with
TensorFlow's padding.

It uses zero ("SAME") padding, instance norm with epsilon 1e-3 after every convolution including the
last, transposed convolutions of stride 2, and 127.5 + 150 * tanh. No convolution has a bias.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-3


@dataclass(frozen=True)
class LengstromSpec:
    """The hyperparameters of a :class:`LengstromNet`.

    Attributes:
        widths: channels at full, half and quarter size on the downsampling path.
        up_widths: channels after the first and the second transposed convolution.
        blocks: residual blocks at quarter size.
    """

    widths: tuple[int, int, int] = (32, 64, 128)
    up_widths: tuple[int, int] = (64, 32)
    blocks: int = 5


class SameConv(nn.Module):
    """A zero-padded k x k convolution, then norm: (B, C, H, W) -> (B, D, H, W), k odd."""

    def __init__(self, channels: int, out: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.InstanceNorm2d(out, eps=EPSILON, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.conv(x))
        return y


def _rows_to_even(size: int) -> int:
    """Return 0 for an even size, 1 for an odd one."""
    # Not size % 2: with this form torch.export can prove what ceil(size / 2) is, so the exported
    # net takes every size from 5 up, and the padding is a constant where size is known to be even.
    return 2 * ((size + 1) // 2) - size


class SameDownConv(nn.Module):
    """A 3x3 SAME convolution, stride 2, then norm: (B, C, H, W) -> (B, D, ceil(H/2), ceil(W/2)).

    TensorFlow pads 2 * ceil(H/2) + 1 - H rows in all, the smaller half first: an even H gets 0
    before and 1 after, an odd one 1 and 1.
    """

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, stride=2, bias=False)
        self.norm = nn.InstanceNorm2d(out, eps=EPSILON, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = F.pad(x, (_rows_to_even(width), 1, _rows_to_even(height), 1))
        y: Tensor = self.norm(self.conv(x))
        return y


class SameUpConv(nn.Module):
    """A transposed 3x3 SAME convolution, stride 2, then norm: (B, C, H, W) -> (B, D, 2H, 2W).

    It is the gradient of :class:`SameDownConv` for an even size, which pads only after the last
    row, so the last row and column of the unpadded 2H + 1 by 2W + 1 output are cut off.
    """

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(channels, out, 3, stride=2, bias=False)
        self.norm = nn.InstanceNorm2d(out, eps=EPSILON, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.conv(x)[..., :-1, :-1])
        return y


class Residual(nn.Module):
    """A block x + conv(relu(conv(x))), each with a norm: (B, C, H, W) -> the same.

    No ReLU follows the sum.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = SameConv(channels, channels, 3)
        self.conv2 = SameConv(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(F.relu(self.conv1(x)))
        return x + y


class LengstromNet(nn.Module):
    """An image transform net: (B, 3, H, W) in 0..255 RGB -> the same, H and W multiples of 4.

    Other sizes come back as the next multiple of 4, as in TensorFlow. The smallest side is 5: a
    4 x 4 picture is a single value at quarter size, whose variance is undefined. The output is in
    -22.5..277.5, not clamped.
    """

    def __init__(self, spec: LengstromSpec | None = None) -> None:
        super().__init__()
        self.spec = spec = spec or LengstromSpec()
        full, half, quarter = spec.widths
        up_half, up_full = spec.up_widths
        self.conv1 = SameConv(3, full, 9)
        self.conv2 = SameDownConv(full, half)
        self.conv3 = SameDownConv(half, quarter)
        self.blocks = nn.Sequential(*(Residual(quarter) for _ in range(spec.blocks)))
        self.up1 = SameUpConv(quarter, up_half)
        self.up2 = SameUpConv(up_half, up_full)
        self.head = SameConv(up_full, 3, 9)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x))  # (B, 32, H, W)
        x = F.relu(self.conv2(x))  # (B, 64, H/2, W/2)
        x = F.relu(self.conv3(x))  # (B, 128, H/4, W/4)
        x = self.blocks(x)  # (B, 128, H/4, W/4)
        x = F.relu(self.up1(x))  # (B, 64, H/2, W/2)
        x = F.relu(self.up2(x))  # (B, 32, H, W)
        x = self.head(x)  # (B, 3, H, W)
        return 127.5 + 150.0 * torch.tanh(x)
