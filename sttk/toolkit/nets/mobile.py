"""A style net for phones and small CPUs: a tenth of a Johnson net's multiplications.

It is made of the layers of :mod:`sttk.toolkit.nets.johnson`. What differs, and why:

- Two strided convolutions come first, so that nothing but they and the last layer runs on more than
  a quarter of the picture's sides: there a Johnson net spends half of its time.
- The head's convolutions are 3x3 and narrow: nearest x2 and a convolution, twice. Trained so, they
  leave no grid, and run as one convolution each (sttk.toolkit.rewrites.phase_upsample).
- Channels in multiples of 16, the vectors of CPUs and of the Neural Engine.

Reflections are padded, as there. Zeros within convolutions would be 4 to 12 % faster on a CPU; but
they tell the net where the border is, and it paints a frame (seen with The Scream).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from sttk.toolkit.nets.johnson import MOST_BLOCKS, Conv, Residual, UpConv

_MOST_EXPAND = 16


class Inverted(nn.Module):
    """MobileNetV2's block (Sandler et al. 2018) with instance norms: (B, C, H, W) -> the same.

    Widened by 2 it takes a quarter of the multiplications of a residual block of as many channels.

    Args:
        channels: C.
        expand: channels within, in multiples of C.
    """

    def __init__(self, channels: int, expand: int) -> None:
        super().__init__()
        wide = channels * expand
        self.grow = nn.Conv2d(channels, wide, 1)
        self.norm1 = nn.InstanceNorm2d(wide, affine=True)
        self.depth = Conv(wide, wide, 3, groups=wide)
        self.norm2 = nn.InstanceNorm2d(wide, affine=True)
        self.shrink = nn.Conv2d(wide, channels, 1)
        self.norm3 = nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.grow(x)))
        y = F.relu(self.norm2(self.depth(y)))
        residual: Tensor = self.norm3(self.shrink(y))
        return x + residual


@dataclass(frozen=True)
class MobileSpec:
    """The hyperparameters of a :class:`MobileNet`.

    Attributes:
        stem: channels at half size, on the way in.
        trunk: channels at quarter size.
        blocks: residual blocks there.
        head: channels at half size, on the way out.
        expand: 0 for blocks of two 3x3 convolutions (:class:`Residual`), else
            what :class:`Inverted` ones widen the trunk by.
    """

    stem: int = 16
    trunk: int = 48
    blocks: int = 5
    head: int = 16
    expand: int = 0

    def __post_init__(self) -> None:
        """Specs come from files: raise ValueError on what is not known."""
        numbers = (self.stem, self.trunk, self.blocks, self.head)
        whole = all(type(n) is int and 1 <= n <= 1024 for n in numbers)
        if not whole or self.blocks > MOST_BLOCKS:
            raise ValueError(f"channels and blocks {numbers}")
        if type(self.expand) is not int or not 0 <= self.expand <= _MOST_EXPAND:
            raise ValueError(f"blocks widened by {self.expand}")

    def block(self) -> nn.Module:
        """One of the trunk's, with random weights: (B, trunk, H, W) -> the same."""
        if self.expand:
            return Inverted(self.trunk, self.expand)
        return Residual(self.trunk, "instance")


class MobileNet(nn.Module):
    """Image transform net: (B, 3, H, W) in 0..255 RGB -> the same, H and W multiples of 4.

    Other sizes come back as the next multiple of 4. The output is not clamped: training
    needs the gradient outside 0..255, and :class:`StyleNet` clamps.
    """

    def __init__(self, spec: MobileSpec | None = None) -> None:
        super().__init__()
        self.spec = spec = spec or MobileSpec()
        self.conv1 = Conv(3, spec.stem, 5, stride=2)
        self.conv2 = Conv(spec.stem, spec.trunk, 3, stride=2)
        self.norm2 = nn.InstanceNorm2d(spec.trunk, affine=True)
        self.blocks = nn.Sequential(*(spec.block() for _ in range(spec.blocks)))
        self.up1 = UpConv(spec.trunk, spec.head)
        self.norm3 = nn.InstanceNorm2d(spec.head, affine=True)
        self.up2 = UpConv(spec.head, 3)

    @property
    def first(self) -> nn.Conv2d:
        """The convolution that reads the picture."""
        return self.conv1.conv

    @property
    def last(self) -> nn.Conv2d:
        """The convolution that makes the picture."""
        return self.up2.conv

    def norms(self) -> list[nn.Module]:
        """All normalisation layers, from input to output."""
        return [module for module in self.modules() if isinstance(module, nn.InstanceNorm2d)]

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x))  # (B, 16, H/2, W/2)
        x = F.relu(self.norm2(self.conv2(x)))  # (B, 48, H/4, W/4)
        x = self.blocks(x)  # (B, 48, H/4, W/4)
        x = F.relu(self.norm3(self.up1(x)))  # (B, 16, H/2, W/2)
        y: Tensor = self.up2(x)  # (B, 3, H, W)
        return y
