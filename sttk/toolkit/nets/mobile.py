"""A style net for phones and small CPUs, with a tenth of a Johnson net's multiplications.

It is built from the layers of :mod:`sttk.toolkit.nets.johnson`, with these differences:

- Two strided convolutions come first, so that only they and the last layers work at more than a
  quarter of the picture's sides, where a Johnson net spends half of its time.
- The head's convolutions are narrow and 3x3: nearest x2 and a convolution, twice. A net trained
  this way leaves no grid, and each pair runs as one convolution
  (sttk.toolkit.rewrites.phase_upsample).
- Channels are multiples of 16, the vector width of CPUs and of the Neural Engine.

Padding reflects, as in the Johnson net. Zero padding inside the convolutions would be 4 to 12 %
faster on a CPU, but it tells the net where the border is, and the net paints a frame (seen with The
Scream).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from sttk.toolkit.nets.johnson import MOST_BLOCKS, Conv, Residual, UpConv

_MOST_EXPAND = 16


class Inverted(nn.Module):
    """The block of MobileNetV2 (Sandler et al. 2018) with instance norms: (B, C, H, W) -> the same.

    With ``expand`` of 2 it takes a quarter of the multiplications of a residual block with the same
    number of channels.

    Args:
        channels: C.
        expand: the expansion factor; the block has ``expand * C`` inner channels.
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
        stem: channels at half size, before the trunk.
        trunk: channels at quarter size.
        blocks: residual blocks at quarter size.
        head: channels at half size, after the trunk.
        expand: 0 for blocks of two 3x3 convolutions (:class:`Residual`), otherwise the expansion
            factor of :class:`Inverted` blocks.
    """

    stem: int = 16
    trunk: int = 48
    blocks: int = 5
    head: int = 16
    expand: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError for values that are not known: specs come from files."""
        numbers = (self.stem, self.trunk, self.blocks, self.head)
        whole = all(type(n) is int and 1 <= n <= 1024 for n in numbers)
        if not whole or self.blocks > MOST_BLOCKS:
            raise ValueError(f"channels and blocks {numbers}")
        if type(self.expand) is not int or not 0 <= self.expand <= _MOST_EXPAND:
            raise ValueError(f"blocks widened by {self.expand}")

    def block(self) -> nn.Module:
        """Return a new trunk block with random weights: (B, trunk, H, W) -> the same."""
        if self.expand:
            return Inverted(self.trunk, self.expand)
        return Residual(self.trunk, "instance")


class MobileNet(nn.Module):
    """An image transform net: (B, 3, H, W) in 0..255 RGB -> the same, H and W multiples of 4.

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
        """The convolution that outputs the picture."""
        return self.up2.conv

    def norms(self) -> list[nn.Module]:
        """Return all normalisation layers, from input to output."""
        return [module for module in self.modules() if isinstance(module, nn.InstanceNorm2d)]

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x))  # (B, 16, H/2, W/2)
        x = F.relu(self.norm2(self.conv2(x)))  # (B, 48, H/4, W/4)
        x = self.blocks(x)  # (B, 48, H/4, W/4)
        x = F.relu(self.norm3(self.up1(x)))  # (B, 16, H/2, W/2)
        y: Tensor = self.up2(x)  # (B, 3, H, W)
        return y
