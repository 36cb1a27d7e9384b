"""Johnson's net with bottleneck blocks: ``TransformerResNextNetwork`` from
rrmina/fast-neural-style-pytorch (experimental.py).

The blocks narrow, convolve and widen as ResNeXt's do (Xie et al. 2017, figure 1), but despite the
name their 3x3 convolution is not grouped. The net uses reflection padding, instance norm after
every convolution but the last, transposed convolutions of stride 2, and no tanh.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from sttk.toolkit.nets.johnson import Conv, TransposedConv


@dataclass(frozen=True)
class ResNextSpec:
    """The hyperparameters of a :class:`ResNextNet`.

    Attributes:
        widths: channels at full, half and quarter size on the downsampling path.
        bottleneck: channels inside a block, after its first and its second convolution.
        up_widths: channels after the first and the second transposed convolution.
        blocks: residual blocks at quarter size.
    """

    widths: tuple[int, int, int] = (32, 64, 128)
    bottleneck: tuple[int, int] = (64, 64)
    up_widths: tuple[int, int] = (64, 32)
    blocks: int = 5


def _norm(channels: int) -> nn.InstanceNorm2d:
    return nn.InstanceNorm2d(channels, affine=True)


class Bottleneck(nn.Module):
    """A bottleneck block x + (1x1, 3x3, 1x1): (B, C, H, W) -> the same.

    A norm follows each convolution, and ReLU the first two.
    """

    def __init__(self, channels: int, narrow: tuple[int, int]) -> None:
        super().__init__()
        first, second = narrow
        self.conv1 = nn.Conv2d(channels, first, 1)
        self.norm1 = _norm(first)
        self.conv2 = Conv(first, second, 3)
        self.norm2 = _norm(second)
        self.conv3 = nn.Conv2d(second, channels, 1)
        self.norm3 = _norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.norm1(self.conv1(x)))  # (B, 64, H, W)
        inner = F.relu(self.norm2(self.conv2(inner)))  # (B, 64, H, W)
        y: Tensor = self.norm3(self.conv3(inner))  # (B, 128, H, W)
        return x + y  # no ReLU after the sum


class ResNextNet(nn.Module):
    """An image transform net: (B, 3, H, W) in 0..255 -> the same, H and W multiples of 4.

    Other sizes come back as the next multiple of 4; the smallest side is 5 (the first padding
    reflects 4 pixels). The output is not clamped. The channel order is that of the weights.
    """

    def __init__(self, spec: ResNextSpec | None = None) -> None:
        super().__init__()
        self.spec = spec = spec or ResNextSpec()
        full, half, quarter = spec.widths
        up_half, up_full = spec.up_widths
        self.conv1 = Conv(3, full, 9)
        self.norm1 = _norm(full)
        self.conv2 = Conv(full, half, 3, stride=2)
        self.norm2 = _norm(half)
        self.conv3 = Conv(half, quarter, 3, stride=2)
        self.norm3 = _norm(quarter)
        blocks = (Bottleneck(quarter, spec.bottleneck) for _ in range(spec.blocks))
        self.blocks = nn.Sequential(*blocks)
        self.up1 = TransposedConv(quarter, up_half)
        self.norm4 = _norm(up_half)
        self.up2 = TransposedConv(up_half, up_full)
        self.norm5 = _norm(up_full)
        self.head = Conv(up_full, 3, 9)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)))  # (B, 32, H, W)
        x = F.relu(self.norm2(self.conv2(x)))  # (B, 64, H/2, W/2)
        x = F.relu(self.norm3(self.conv3(x)))  # (B, 128, H/4, W/4)
        x = self.blocks(x)  # (B, 128, H/4, W/4)
        x = F.relu(self.norm4(self.up1(x)))  # (B, 64, H/2, W/2)
        x = F.relu(self.norm5(self.up2(x)))  # (B, 32, H, W)
        y: Tensor = self.head(x)  # (B, 3, H, W)
        return y
