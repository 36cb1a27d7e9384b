"""The terms of perceptual losses, as pure functions of tensors."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

# "half-sum" is half the sum of squares (Gatys et al. 2015, eq. 1), which grows with the picture.
Reduction = Literal["mean", "half-sum"]
# Instance norms make of a flat picture nothing but rounding errors of 1e-5 to 1e-4, whose fourth
# powers are far below this; the features of any other picture are around 1, and theirs far above.
_NO_ENERGY = 1e-12


def gram(features: Tensor) -> Tensor:
    """Return the Gram matrix divided by C * H * W: (B, C, H, W) -> (B, C, C).

    See Johnson et al. 2016, eq. 3.
    """
    return _products(features.flatten(2)) / features[0].numel()


def _products(flat: Tensor) -> Tensor:
    """Return sums of N products, (B, C, N) -> (B, C, C).

    They need float32: bfloat16 would keep two digits of them, and float16 would overflow.
    """
    with torch.autocast(flat.device.type, enabled=False):
        flat = widened(flat)
        return torch.bmm(flat, flat.transpose(1, 2))


def widened(x: Tensor) -> Tensor:
    """Convert to float32, unless it is float64."""
    return x if x.dtype == torch.float64 else x.float()


def squares(difference: Tensor, reduction: Reduction) -> Tensor:
    """Reduce the squares of (B, ...) to a scalar: their mean, or half their sum per picture."""
    square = widened(difference).square()
    return square.mean() if reduction == "mean" else square.sum() / (2 * len(square))


def total_variation(x: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Return the reduced squared differences of neighbouring pixels of (B, C, H, W), a scalar."""
    down, right = x[:, :, 1:] - x[:, :, :-1], x[:, :, :, 1:] - x[:, :, :, :-1]
    return squares(down, reduction) + squares(right, reduction)


def chroma_covariance(x: Tensor) -> Tensor:
    """Return the spread of colour without lightness: (B, 3, H, W) RGB -> (B, 2, 2).

    It is the second moment of R - G and (R + G) / 2 - B about zero, not about the mean, so that it
    includes the mean too.
    """
    red, green, blue = x.unbind(dim=1)
    chroma = torch.stack([red - green, (red + green) / 2 - blue], dim=1).flatten(2)
    return _products(chroma) / chroma.shape[2]


def peakedness(features: Tensor) -> Tensor:
    """Measure how concentrated the energy of (B, C, H, W) is: a scalar, 1 if it is even.

    It is the mean over the batch of E[e^2] / E[e]^2, where e is the sum of squares over the
    channels. Nets with instance norm learn to raise a single spot far above the rest, which scales
    everything else in the next norm. It shows as one stain per picture (the droplets of Karras et
    al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", section 2).

    Features without energy are even: a flat picture has the value 1 and no gradient.
    """
    energy = widened(features).square().sum(dim=1).flatten(1)  # (B, H * W)
    second, mean = energy.square().mean(dim=1), energy.mean(dim=1)
    return ((second + _NO_ENERGY) / (mean.square() + _NO_ENERGY)).mean()
