"""A style net for phones and small CPUs: a tenth of a Johnson net's multiplications.

What it has of Johnson et al. 2016: residual blocks with instance norm, nearest upsampling followed
by a convolution. What differs, and why:

- Two strided convolutions come first, so that nothing but they and the last layer runs on more than
  a quarter of the picture's sides: there a Johnson net spends half of its time.
- Zeros are padded, not reflections, but on the picture itself: runtimes pad zeros within a
  convolution, and spend a pass over memory on reflections.
- Channels in multiples of 16, the vectors of CPUs and of the Neural Engine.
- No layer that a mobile accelerator lacks: convolutions, instance norm, ReLU, sums, nearest x2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor, nn
from torch.nn import functional as F

Block = Literal["residual", "inverted"]


@dataclass(frozen=True)
class MobileSpec:
    """The hyperparameters of a :class:`MobileNet`.

    Attributes:
        stem: channels at half size, on the way in.
        trunk: channels at quarter size.
        blocks: how many blocks there.
        block: ``residual``, two 3x3 convolutions; or ``inverted`` (Sandler et al. 2018), a 3x3
            convolution of each channel by itself between two 1x1 of ``expand`` times the channels.
        expand: see ``block``.
        head: channels at half size, on the way out.
    """

    stem: int = 16
    trunk: int = 48
    blocks: int = 5
    block: Block = "residual"
    expand: int = 2
    head: int = 16

    def __post_init__(self) -> None:
        """Specs come from files: raise ValueError on what is not known."""
        if self.block not in get_args(Block):
            raise ValueError(f"{self.block!r} is none of {', '.join(get_args(Block))}")
        numbers = (self.stem, self.trunk, self.blocks, self.expand, self.head)
        if not all(type(n) is int and 1 <= n <= 1024 for n in numbers):
            raise ValueError(f"channels and blocks {numbers}")


def _conv(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """One that a norm follows: it would cancel a bias."""
    return nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=False)


def _norm(channels: int) -> nn.InstanceNorm2d:
    return nn.InstanceNorm2d(channels, affine=True)


class Residual(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))): (B, C, H, W) -> the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = _conv(channels, channels, 3), _norm(channels)
        self.conv2, self.norm2 = _conv(channels, channels, 3), _norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        residual: Tensor = self.norm2(self.conv2(y))
        return x + residual


class Inverted(nn.Module):
    """x + project(relu(each(relu(norm(widen(x)))))): (B, C, H, W) -> the same."""

    def __init__(self, channels: int, expand: int) -> None:
        super().__init__()
        wide = channels * expand
        self.widen, self.norm = _conv(channels, wide, 1), _norm(wide)
        self.each = nn.Conv2d(wide, wide, 3, padding=1, groups=wide)
        self.project = nn.Conv2d(wide, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm(self.widen(x)))
        residual: Tensor = self.project(F.relu(self.each(y)))
        return x + residual


class UpConv(nn.Module):
    """Nearest x2, then a 3x3 convolution over zeros: (B, C, H, W) -> (B, D, 2H, 2W)."""

    def __init__(self, channels: int, out: int, *, bias: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return y


class MobileNet(nn.Module):
    """Image transform net: (B, 3, H, W) in 0..255 RGB -> the same, H and W multiples of 4.

    Other sizes come back as the next multiple of 4. The output is not clamped: training
    needs the gradient outside 0..255, and :class:`toolkit.style_net.StyleNet` clamps.
    """

    def __init__(self, spec: MobileSpec | None = None) -> None:
        super().__init__()
        self.spec = spec = spec or MobileSpec()
        self.pad = nn.ReflectionPad2d(2)
        self.conv1 = nn.Conv2d(3, spec.stem, 5, 2)
        self.conv2, self.norm2 = _conv(spec.stem, spec.trunk, 3, 2), _norm(spec.trunk)
        self.blocks = nn.Sequential(*(_block(spec) for _ in range(spec.blocks)))
        self.up1 = UpConv(spec.trunk, spec.head, bias=False)
        self.norm3 = _norm(spec.head)
        self.up2 = UpConv(spec.head, 3, bias=True)

    @property
    def first(self) -> nn.Conv2d:
        """The convolution that reads the picture."""
        return self.conv1

    @property
    def last(self) -> nn.Conv2d:
        """The convolution that makes the picture."""
        return self.up2.conv

    def norms(self) -> list[nn.Module]:
        """All normalisation layers, from input to output."""
        return [module for module in self.modules() if isinstance(module, nn.InstanceNorm2d)]

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(self.pad(x)))  # (B, 16, H/2, W/2)
        x = F.relu(self.norm2(self.conv2(x)))  # (B, 48, H/4, W/4)
        x = self.blocks(x)  # (B, 48, H/4, W/4)
        x = F.relu(self.norm3(self.up1(x)))  # (B, 16, H/2, W/2)
        y: Tensor = self.up2(x)  # (B, 3, H, W)
        return y


def _block(spec: MobileSpec) -> nn.Module:
    if spec.block == "residual":
        return Residual(spec.trunk)
    return Inverted(spec.trunk, spec.expand)
