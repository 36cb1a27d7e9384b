"""The two modules that stand between a net of another convention and RGB in 0..255."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sttk.toolkit.core.convention import End, Triple

# Where values are clamped before they are converted, in units of 0..255.
_BELOW, _ABOVE = -64.0, 319.0


class _End(nn.Module):
    """The constants of one end: mean and std, (1, 3, 1, 1) float32."""

    mean: Tensor
    std: Tensor

    def __init__(self, end: End) -> None:
        super().__init__()
        self.register_buffer("mean", _channels(end.mean))
        self.register_buffer("std", _channels(end.std))
        # Decided here, because a traced graph cannot branch on its weights.
        self.bgr, self.shifts = bool(end.bgr), any(end.mean)
        self.scales = any(value != 1 for value in end.std)

    def _ordered(self, x: Tensor) -> Tensor:
        """Reverse the channels, by slices, which every format has."""
        return torch.cat([x[:, 2:3], x[:, 1:2], x[:, 0:1]], 1) if self.bgr else x


class Enter(_End):
    """(B, 3, H, W) RGB in 0..255 -> the values that a net takes: ``(x - mean) / std``."""

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = self._ordered(x)
        x = x - self.mean if self.shifts else x
        return x / self.std if self.scales else x


class Leave(_End):
    """(B, 3, H, W), the values that a net gives -> RGB in 0..255: ``value * std + mean``.

    Values far outside 0..255 are clamped first, which changes nothing that a :class:`StyleNet`
    gives, because it clamps. It keeps optimisers of graphs from folding the scale into the last
    convolution, whose weights would then no longer be the checkpoint's.
    """

    def __init__(self, end: End) -> None:
        super().__init__(end)
        pairs = list(zip(end.mean, end.std, strict=True))
        self.low = min((_BELOW - mean) / std for mean, std in pairs)
        self.high = max((_ABOVE - mean) / std for mean, std in pairs)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if self.shifts or self.scales:
            x = x.clamp(self.low, self.high)
        x = x * self.std if self.scales else x
        x = x + self.mean if self.shifts else x
        return self._ordered(x)


def _channels(values: Triple) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(1, 3, 1, 1)
