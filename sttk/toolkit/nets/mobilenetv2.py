"""Johnson's net with MobileNetV2 bottlenecks: ``TransformerMobileNet`` from
mmalotin/pytorch-fast-neural-style-mobilenetV2 (fnst_modules.py).

A bottleneck is a 1x1 convolution, a depthwise 3x3 and a linear 1x1 (Sandler et al. 2018, figure
4), with instance norm in place of batch norm. The net uses reflection padding, nearest upsampling,
convolutions without bias, and no tanh.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class MobileNetV2Spec:
    """The hyperparameters of a :class:`MobileNetV2Net`.

    Attributes:
        widths: channels at full, half and quarter size.
        blocks: bottlenecks at quarter size.
        expansion: the ratio of a bottleneck's inner channels to its input channels.
    """

    widths: tuple[int, int, int] = (32, 64, 128)
    blocks: int = 5
    expansion: int = 1


def _norm(channels: int) -> nn.InstanceNorm2d:
    return nn.InstanceNorm2d(channels, affine=True)


class Conv(nn.Module):
    """A reflection-padded convolution without bias: (B, C, H, W) -> (B, D, H/stride, W/stride)."""

    def __init__(
        self, channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(kernel // 2)
        self.conv = nn.Conv2d(channels, out, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(self.pad(x))
        return y


class Bottleneck(nn.Module):
    """A MobileNetV2 bottleneck: (B, C, H, W) -> (B, D, H/stride, W/stride).

    It is a 1x1, a depthwise 3x3 and a 1x1 convolution with a norm after each. ReLU6 follows the
    first two norms, nothing follows the third. The input is added where the stride is 1 and the
    channel counts match.
    """

    def __init__(self, channels: int, out: int, expansion: int, stride: int = 1) -> None:
        super().__init__()
        inner = expansion * channels
        self.residual = stride == 1 and channels == out
        self.conv1 = nn.Conv2d(channels, inner, 1, bias=False)
        self.norm1 = _norm(inner)
        self.conv2 = Conv(inner, inner, 3, stride, groups=inner)
        self.norm2 = _norm(inner)
        self.conv3 = nn.Conv2d(inner, out, 1, bias=False)
        self.norm3 = _norm(out)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu6(self.norm1(self.conv1(x)))
        inner = F.relu6(self.norm2(self.conv2(inner)))
        y: Tensor = self.norm3(self.conv3(inner))
        return x + y if self.residual else y


class UpBottleneck(nn.Module):
    """A nearest x2 upsampling, then a bottleneck and ReLU: (B, C, H, W) -> (B, D, 2H, 2W)."""

    def __init__(self, channels: int, out: int, expansion: int) -> None:
        super().__init__()
        self.block = Bottleneck(channels, out, expansion)

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return F.relu(self.block(x))


class MobileNetV2Net(nn.Module):
    """An image transform net: (B, 3, H, W) in 0..255 RGB -> the same, H and W multiples of 4.

    Other sizes come back as the next multiple of 4; the smallest side is 5 (the first padding
    reflects 4 pixels). The output is not clamped.
    """

    def __init__(self, spec: MobileNetV2Spec | None = None) -> None:
        super().__init__()
        self.spec = spec = spec or MobileNetV2Spec()
        full, half, quarter = spec.widths
        times = spec.expansion
        self.conv1 = Conv(3, full, 9)
        self.norm1 = _norm(full)
        self.down1 = Bottleneck(full, half, times, stride=2)
        self.down2 = Bottleneck(half, quarter, times, stride=2)
        blocks = (Bottleneck(quarter, quarter, times) for _ in range(spec.blocks))
        self.blocks = nn.Sequential(*blocks)
        self.up1 = UpBottleneck(quarter, half, times)
        self.up2 = UpBottleneck(half, full, times)
        self.head = Conv(full, 3, 9)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)))  # (B, 32, H, W)
        x = self.down1(x)  # (B, 64, H/2, W/2)
        x = self.down2(x)  # (B, 128, H/4, W/4)
        x = self.blocks(x)  # (B, 128, H/4, W/4)
        x = self.up1(x)  # (B, 64, H/2, W/2)
        x = self.up2(x)  # (B, 32, H, W)
        y: Tensor = self.head(x)  # (B, 3, H, W)
        return y
