"""Johnson's net as its many forks have it: the same order of layers, with small differences.

The forks differ in the kernels of the first and the last convolution, in what a residual block does
with its input, in the norm and its epsilon, and in the output. The paddings reflect and the ups are
those of :mod:`sttk.toolkit.nets.johnson`, whose layers these are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sttk.toolkit.nets.johnson import MOST_BLOCKS, Conv, TransposedConv, UpConv

Statistics = Literal["instance", "running"]


@dataclass(frozen=True)
class SkeletonSpec:
    """The hyperparameters of a :class:`SkeletonNet`.

    Attributes:
        widths: channels at full, half and quarter size on the downsampling path.
        up_widths: channels after the first and the second upsampling.
        blocks: residual blocks at quarter size.
        kernels: the sides of the first and the last convolution's kernel.
        norm: statistics of each picture, or those that the net kept while it was trained, which are
            part of the convolutions' weights.
        epsilon: what the norms add to the variance.
        zero_down: whether the strided convolutions pad with zeros, instead of by reflection.
        upsample: nearest x2 and a convolution, or a transposed convolution of stride 2.
        skip: how often a block adds its input to its output.
        relu_after_sum: whether a ReLU follows that sum.
        tanh: the factor of a tanh at the end, in 0..255; 0 without a tanh.
    """

    widths: tuple[int, int, int] = (32, 64, 128)
    up_widths: tuple[int, int] = (64, 32)
    blocks: int = 5
    kernels: tuple[int, int] = (9, 9)
    norm: Statistics = "instance"
    epsilon: float = 1e-5
    zero_down: bool = False
    upsample: Literal["nearest", "transposed"] = "nearest"
    skip: int = 1
    relu_after_sum: bool = False
    tanh: float = 0.0

    def __post_init__(self) -> None:
        """Raise ValueError for more blocks than a net can have: specs come from files."""
        if self.blocks > MOST_BLOCKS:
            raise ValueError(f"{self.blocks} blocks are more than {MOST_BLOCKS}")

    def norm_of(self, channels: int) -> nn.Module:
        """Return a norm of this kind."""
        if self.norm == "running":
            return nn.Identity()
        return nn.InstanceNorm2d(channels, self.epsilon, affine=True)

    def down(self, channels: int, out: int) -> nn.Module:
        """Return a strided convolution with the padding of this kind."""
        return ZeroConv(channels, out, 2) if self.zero_down else Conv(channels, out, 3, stride=2)


class ZeroConv(nn.Module):
    """A 3x3 convolution that pads with zeros: (B, C, H, W) -> (B, D, H/stride, W/stride)."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, stride, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y


class Block(nn.Module):
    """A residual block: (B, C, H, W) -> the same, skip * x + norm(conv(relu(norm(conv(x)))))."""

    def __init__(self, channels: int, spec: SkeletonSpec) -> None:
        super().__init__()
        self.skip, self.relu = spec.skip, spec.relu_after_sum
        self.conv1 = Conv(channels, channels, 3)
        self.norm1 = spec.norm_of(channels)
        self.conv2 = Conv(channels, channels, 3)
        self.norm2 = spec.norm_of(channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        y = y + (x if self.skip == 1 else self.skip * x)
        return F.relu(y) if self.relu else y


class SkeletonNet(nn.Module):
    """An image transform net: (B, 3, H, W) in 0..255 RGB -> the same, H and W multiples of 4.

    Other sizes come back as the next multiple of 4. The output is not clamped.
    """

    def __init__(self, spec: SkeletonSpec) -> None:
        super().__init__()
        self.spec = spec
        full, half, quarter = spec.widths
        up_half, up_full = spec.up_widths
        up = UpConv if spec.upsample == "nearest" else TransposedConv
        self.conv1 = Conv(3, full, spec.kernels[0])
        self.norm1 = spec.norm_of(full)
        self.conv2 = spec.down(full, half)
        self.norm2 = spec.norm_of(half)
        self.conv3 = spec.down(half, quarter)
        self.norm3 = spec.norm_of(quarter)
        self.blocks = nn.Sequential(*(Block(quarter, spec) for _ in range(spec.blocks)))
        self.up1 = up(quarter, up_half)
        self.norm4 = spec.norm_of(up_half)
        self.up2 = up(up_half, up_full)
        self.norm5 = spec.norm_of(up_full)
        self.head = Conv(up_full, 3, spec.kernels[1])

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)))  # (B, 32, H, W)
        x = F.relu(self.norm2(self.conv2(x)))  # (B, 64, H/2, W/2)
        x = F.relu(self.norm3(self.conv3(x)))  # (B, 128, H/4, W/4)
        x = self.blocks(x)  # (B, 128, H/4, W/4)
        x = F.relu(self.norm4(self.up1(x)))  # (B, 64, H/2, W/2)
        x = F.relu(self.norm5(self.up2(x)))  # (B, 32, H, W)
        x = self.head(x)  # (B, 3, H, W)
        return 127.5 + self.spec.tanh * torch.tanh(x) if self.spec.tanh else x

    @staticmethod
    def layers(blocks: int) -> list[tuple[str, str]]:
        """Return the names of the convolutions, and of the norm after each, in their order."""
        inner = [
            (f"blocks.{i}.conv{j}.conv", f"blocks.{i}.norm{j}")
            for i in range(blocks)
            for j in (1, 2)
        ]
        down = [(f"conv{i}.conv", f"norm{i}") for i in (1, 2, 3)]
        return [*down, *inner, ("up1.conv", "norm4"), ("up2.conv", "norm5"), ("head.conv", "")]
