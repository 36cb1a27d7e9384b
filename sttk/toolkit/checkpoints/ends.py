"""Ranges, means and channel orders of others, moved into the first and the last convolution.

With values v = (x - m) / s, x in 0..255, both moves are exact:

    conv(v; W, b) = conv(x; W / s, b - sum of (W m / s))          if the padding commutes with it
    x = conv(v; W, b) s + m = conv(v; s W, s b + m)

Reflection and repetition of the edge commute with v; zeros do not, which are zeros of v. A
convolution sums over its input channels in any order, so BGR is turned by its weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Values:
    """What a net's author feeds it: ``v = (x - mean) / std``, by channel in the net's order.

    Attributes:
        mean: what is subtracted, in 0..255.
        std: what the rest is divided by, in 0..255.
        bgr: whether the net's channels are in BGR order.
    """

    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)
    bgr: bool = False


PLAIN = Values()
BGR = Values(bgr=True)
# torchvision's, of values in 0..1.
IMAGENET = Values((0.485 * 255, 0.456 * 255, 0.406 * 255), (0.229 * 255, 0.224 * 255, 0.225 * 255))
SIGNED = Values((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))  # -1..1
# VGG's for Caffe (Simonyan and Zisserman 2014).
CAFFE = Values((103.939, 116.779, 123.68), bgr=True)


def entering(weight: Tensor, bias: Tensor, values: Values) -> tuple[Tensor, Tensor]:
    """Return the first convolution's weight (D, 3, K, K) and bias (D,) for RGB in 0..255."""
    mean, std = (torch.tensor(each).double().view(1, 3, 1, 1) for each in _both(values))
    wide = weight.double() / std
    moved = bias.double() - (wide * mean).sum((1, 2, 3))
    return (wide.flip(1) if values.bgr else wide).to(weight.dtype), moved.to(bias.dtype)


def leaving(weight: Tensor, bias: Tensor, values: Values) -> tuple[Tensor, Tensor]:
    """Return the last convolution's weight (3, C, K, K) and bias (3,), which gives 0..255 RGB."""
    mean, std = (torch.tensor(each).double() for each in _both(values))
    wide, moved = weight.double() * std.view(3, 1, 1, 1), bias.double() * std + mean
    if values.bgr:
        wide, moved = wide.flip(0), moved.flip(0)
    return wide.to(weight.dtype), moved.to(bias.dtype)


def _both(values: Values) -> tuple[Triple, Triple]:
    return values.mean, values.std
