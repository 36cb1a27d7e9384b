"""The image transform net of Johnson et al. 2016 ("Perceptual Losses for Real-Time Style
Transfer and Super-Resolution", table 1 of its supplement), with the usual changes since:
instance norm (Ulyanov et al. 2016), same-size residual blocks, and nearest upsampling
followed by a convolution (Odena et al. 2016), which leaves no checkerboard.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Norm = Literal["instance", "batch"]
Upsample = Literal["nearest", "transposed"]
Output = Literal["linear", "tanh"]
# The paper uses 5. A file can claim more than it holds, and each takes milliseconds to build.
MOST_BLOCKS = 128


@dataclass(frozen=True)
class JohnsonSpec:
    """The hyperparameters of a :class:`JohnsonNet`.

    Attributes:
        widths: channels at full, half and quarter size; 32, 64, 128 in the paper.
        blocks: residual blocks at quarter size.
        norm: instance norm, or batch norm as in the 2016 paper.
        upsample: nearest x2 and a convolution, or a transposed convolution of stride 2.
        output: the last convolution's output unchanged, or 127.5 + 150 * tanh of it.
    """

    widths: tuple[int, int, int] = (32, 64, 128)
    blocks: int = 5
    norm: Norm = "instance"
    upsample: Upsample = "nearest"
    output: Output = "linear"

    def __post_init__(self) -> None:
        """Raise ValueError for values that are not known: specs come from files."""
        for value, known in (
            (self.norm, get_args(Norm)),
            (self.upsample, get_args(Upsample)),
            (self.output, get_args(Output)),
        ):
            if value not in known:
                raise ValueError(f"{value!r} is none of {', '.join(known)}")
        numbers = (*self.widths, self.blocks)
        whole = all(type(n) is int and 0 <= n <= 4096 for n in numbers)
        if len(self.widths) != 3 or not whole or 0 in self.widths or self.blocks > MOST_BLOCKS:
            raise ValueError(f"widths {self.widths}, {self.blocks} blocks")

    @classmethod
    def scaled(cls, factor: float, **options: object) -> JohnsonSpec:
        """Return a spec with the paper's widths times ``factor``, each at least 1 channel."""
        widths = tuple(max(1, round(width * factor)) for width in (32, 64, 128))
        return cls(widths=widths, **options)  # type: ignore[arg-type]


def _norm(kind: Norm, channels: int) -> nn.Module:
    if kind == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.BatchNorm2d(channels)


class Conv(nn.Module):
    """A reflection-padded convolution: (B, C, H, W) -> (B, D, H/stride, W/stride)."""

    def __init__(
        self, channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(kernel // 2)
        self.conv = nn.Conv2d(channels, out, kernel, stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(self.pad(x))
        return y


class UpConv(nn.Module):
    """A nearest x2 upsampling, then a 3x3 convolution: (B, C, H, W) -> (B, D, 2H, 2W)."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(1)
        self.conv = nn.Conv2d(channels, out, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        y: Tensor = self.conv(self.pad(x))
        return y


class TransposedConv(nn.Module):
    """A transposed 3x3 convolution of stride 2: (B, C, H, W) -> (B, D, 2H, 2W)."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(channels, out, 3, stride=2, padding=1, output_padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y


class Residual(nn.Module):
    """A block x + norm(conv(relu(norm(conv(x))))) of constant size, no ReLU after the sum."""

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = Conv(channels, channels, 3)
        self.norm1 = _norm(norm, channels)
        self.conv2 = Conv(channels, channels, 3)
        self.norm2 = _norm(norm, channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        residual: Tensor = self.norm2(self.conv2(y))
        return x + residual


class JohnsonNet(nn.Module):
    """An image transform net: (B, 3, H, W) in 0..255 RGB -> the same, H and W multiples of 4.

    Other sizes come back as the next multiple of 4. The output is not clamped: training
    needs the gradient outside 0..255, and :class:`StyleNet` clamps.
    """

    def __init__(self, spec: JohnsonSpec | None = None) -> None:
        super().__init__()
        self.spec = spec = spec or JohnsonSpec()
        full, half, quarter = spec.widths
        up = UpConv if spec.upsample == "nearest" else TransposedConv
        self.conv1 = Conv(3, full, 9)
        self.norm1 = _norm(spec.norm, full)
        self.conv2 = Conv(full, half, 3, stride=2)
        self.norm2 = _norm(spec.norm, half)
        self.conv3 = Conv(half, quarter, 3, stride=2)
        self.norm3 = _norm(spec.norm, quarter)
        self.blocks = nn.Sequential(*(Residual(quarter, spec.norm) for _ in range(spec.blocks)))
        self.up1 = up(quarter, half)
        self.norm4 = _norm(spec.norm, half)
        self.up2 = up(half, full)
        self.norm5 = _norm(spec.norm, full)
        self.head = Conv(full, 3, 9)

    @property
    def first(self) -> nn.Conv2d:
        """The convolution that reads the picture."""
        return self.conv1.conv

    @property
    def last(self) -> nn.Conv2d:
        """The convolution that outputs the picture."""
        return self.head.conv

    def norms(self) -> list[nn.Module]:
        """Return all normalisation layers, from input to output."""
        kinds = (nn.InstanceNorm2d, nn.BatchNorm2d)
        return [module for module in self.modules() if isinstance(module, kinds)]

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)))  # (B, 32, H, W)
        x = F.relu(self.norm2(self.conv2(x)))  # (B, 64, H/2, W/2)
        x = F.relu(self.norm3(self.conv3(x)))  # (B, 128, H/4, W/4)
        x = self.blocks(x)  # (B, 128, H/4, W/4)
        x = F.relu(self.norm4(self.up1(x)))  # (B, 64, H/2, W/2)
        x = F.relu(self.norm5(self.up2(x)))  # (B, 32, H, W)
        x = self.head(x)  # (B, 3, H, W)
        return 127.5 + 150.0 * torch.tanh(x) if self.spec.output == "tanh" else x
