"""The terms that perceptual losses are made of, each a function of tensors alone."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

# "half-sum" is Gatys et al. 2015, eq. 1: half the sum of squares, which grows with the picture.
Reduction = Literal["mean", "half-sum"]


def gram(features: Tensor) -> Tensor:
    """Gram matrix: (B, C, H, W) -> (B, C, C), divided by C * H * W (Johnson et al. 2016, eq. 3)."""
    return _products(features.flatten(2)) / features[0].numel()


def _products(flat: Tensor) -> Tensor:
    """(B, C, N) -> (B, C, C), sums of N products: bfloat16 would keep two digits of them, and
    float16 would overflow.
    """
    with torch.autocast(flat.device.type, enabled=False):
        flat = widened(flat)
        return torch.bmm(flat, flat.transpose(1, 2))


def widened(x: Tensor) -> Tensor:
    """float32, or float64 where it is that already."""
    return x if x.dtype == torch.float64 else x.float()


def squares(difference: Tensor, reduction: Reduction) -> Tensor:
    """Squares of (B, ...) as a scalar: their mean, or half their sum a picture."""
    square = widened(difference).square()
    return square.mean() if reduction == "mean" else square.sum() / (2 * len(square))


def total_variation(x: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Squared differences of neighbouring pixels of (B, C, H, W), a scalar."""
    down, right = x[:, :, 1:] - x[:, :, :-1], x[:, :, :, 1:] - x[:, :, :, :-1]
    return squares(down, reduction) + squares(right, reduction)


def chroma_covariance(x: Tensor) -> Tensor:
    """Spread of colour without light: (B, 3, H, W) RGB -> (B, 2, 2), of R - G and (R + G) / 2 - B.

    About zero, not the mean, so that it holds the mean too.
    """
    red, green, blue = x.unbind(dim=1)
    chroma = torch.stack([red - green, (red + green) / 2 - blue], dim=1).flatten(2)
    return _products(chroma) / chroma.shape[2]


def peakedness(features: Tensor) -> Tensor:
    """How much of the energy of (B, C, H, W) sits in few places: a scalar, 1 if it is even.

    The mean over the batch of E[e^2] / E[e]^2, where e is the sum of squares over the channels.
    Nets with instance norm learn to raise a single spot far above the rest, which scales all else
    in the next norm; it shows as one stain per picture (Karras et al. 2020, "Analyzing and
    Improving the Image Quality of StyleGAN", section 2, have it as droplets).
    """
    energy = widened(features).square().sum(dim=1).flatten(1)  # (B, H * W)
    return (energy.square().mean(dim=1) / energy.mean(dim=1).square()).mean()
