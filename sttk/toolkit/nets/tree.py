"""Modules that Torch7's nets have beside those of torch, for nets that are built from a tree."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Sum(nn.Module):
    """The sum of what two modules give, a residual block: (B, C, H, W) -> (B, D, H', W').

    Torch7 has it as a ConcatTable and a CAddTable.
    """

    def __init__(self, branch: nn.Module, skip: nn.Module) -> None:
        super().__init__()
        self.branch = branch
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.branch(x) + self.skip(x)
        return y


class Shave(nn.Module):
    """Cuts ``size`` pixels off each side: (B, C, H, W) -> (B, C, H - 2 size, W - 2 size)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        cut = self.size
        return x[:, :, cut:-cut, cut:-cut] if cut else x


class Times(nn.Module):
    """Multiplication by a number: (B, C, H, W) -> the same."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


class PerChannel(nn.Module):
    """``x * scale + shift`` with numbers for each channel: (B, C, H, W) -> the same."""

    scale: Tensor
    shift: Tensor

    def __init__(self, scale: Sequence[float], shift: Sequence[float]) -> None:
        super().__init__()
        self.scales = any(value != 1 for value in scale)
        self.register_buffer("scale", torch.tensor(scale).view(1, -1, 1, 1))
        self.register_buffer("shift", torch.tensor(shift).view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.scale if self.scales else x) + self.shift
