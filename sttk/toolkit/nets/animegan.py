"""AnimeGANv2's generator (Chen et al. 2020), in the form of bryandlee/animegan2-pytorch (model.py).

Each convolution pads by reflection and is followed by a norm over all of a picture's values (group
norm of one group) and a leaky ReLU; where the stride is 2, only the right and the lower edge are
padded. The middle has MobileNetV2's inverted blocks (Sandler et al. 2018), the ups are bilinear
with aligned corners, and the output is a tanh.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sttk.toolkit.nets.johnson import MOST_BLOCKS

_SLOPE = 0.2
_EPSILON = 1e-5


@dataclass(frozen=True)
class AnimeSpec:
    """The hyperparameters of an :class:`AnimeNet`.

    Attributes:
        widths: channels at full, half and quarter size; 32, 64, 128 in the paper.
        inner: channels between the inverted blocks; 256.
        blocks: inverted blocks.
        expand: the factor by which an inverted block widens its input.
    """

    widths: tuple[int, int, int] = (32, 64, 128)
    inner: int = 256
    blocks: int = 4
    expand: int = 2

    def __post_init__(self) -> None:
        """Raise ValueError for a net that no file can hold: specs come from files."""
        if not 1 <= self.blocks <= MOST_BLOCKS or not 1 <= self.expand <= 64:
            raise ValueError(f"{self.blocks} inverted blocks that widen {self.expand} times")


class LayerNorm(nn.Module):
    """A group norm of one group: (B, C, H, W) -> the same.

    It is written out, so that every format has the same few operations for it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean((1, 2, 3), keepdim=True)
        variance = (centred * centred).mean((1, 2, 3), keepdim=True)
        return centred / torch.sqrt(variance + _EPSILON) * self.weight + self.bias


class Layer(nn.Module):
    """A padded convolution, norm and leaky ReLU: (B, C, H, W) -> (B, D, H/stride, W/stride)."""

    def __init__(
        self, channels: int, out: int, kernel: int = 3, *, stride: int = 1, groups: int = 1,
        bias: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        side = kernel // 2
        self.pad = nn.ReflectionPad2d((0, 1, 0, 1) if stride == 2 else side)
        self.conv = nn.Conv2d(channels, out, kernel, stride, groups=groups, bias=bias)
        self.norm = LayerNorm(out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.pad(x) if self.conv.kernel_size[0] > 1 else x)
        return F.leaky_relu(self.norm(x), _SLOPE)


class Inverted(nn.Module):
    """An inverted block: (B, C, H, W) -> (B, D, H, W), with its input added if C is D."""

    def __init__(self, channels: int, out: int, expand: int) -> None:
        super().__init__()
        wide = channels * expand
        self.adds = channels == out
        self.grow = Layer(channels, wide, 1)
        self.depth = Layer(wide, wide, groups=wide, bias=True)
        self.shrink = nn.Conv2d(wide, out, 1, bias=False)
        self.norm = LayerNorm(out)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.shrink(self.depth(self.grow(x))))
        return x + y if self.adds else y


class AnimeNet(nn.Module):
    """A generator: (B, 3, H, W) in 0..255 RGB -> the same, of the same size."""

    def __init__(self, spec: AnimeSpec | None = None) -> None:
        super().__init__()
        self.spec = spec = spec or AnimeSpec()
        full, half, quarter = spec.widths
        inverted = [
            Inverted(spec.inner if i else quarter, spec.inner, spec.expand)
            for i in range(spec.blocks)
        ]
        self.block_a = nn.Sequential(
            Layer(3, full, 7, bias=True), Layer(full, half, stride=2), Layer(half, half)
        )
        self.block_b = nn.Sequential(Layer(half, quarter, stride=2), Layer(quarter, quarter))
        self.block_c = nn.Sequential(Layer(quarter, quarter), *inverted, Layer(spec.inner, quarter))
        self.block_d = nn.Sequential(Layer(quarter, quarter), Layer(quarter, quarter))
        self.block_e = nn.Sequential(Layer(quarter, half), Layer(half, half), Layer(half, full, 7))
        self.head = nn.Conv2d(full, 3, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        picture = x.shape[-2:]
        x = self.block_a(x)  # (B, 64, H/2, W/2)
        halves = x.shape[-2:]
        x = self.block_c(self.block_b(x))  # (B, 128, H/4, W/4)
        x = F.interpolate(x, halves, mode="bilinear", align_corners=True)
        x = self.block_d(x)  # (B, 128, H/2, W/2)
        x = F.interpolate(x, picture, mode="bilinear", align_corners=True)
        x = self.head(self.block_e(x))  # (B, 3, H, W)
        return 127.5 + 127.5 * torch.tanh(x)
