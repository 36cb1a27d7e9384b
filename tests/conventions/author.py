"""Nets of other conventions, made of one that takes and gives RGB in 0..255."""

from __future__ import annotations

import copy

import torch

IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64).view(1, 3, 1, 1)
IMAGENET_STD = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64).view(1, 3, 1, 1)
CAFFE_MEAN = torch.tensor([103.939, 116.779, 123.68], dtype=torch.float64).view(1, 3, 1, 1)

# What an author does to a picture (RGB, 0..255) before the net, and to what it gives.
BEFORE = {
    "0..255": lambda x: x,
    "0..1": lambda x: x / 255,
    "-1..1": lambda x: x / 127.5 - 1,
    "imagenet": lambda x: (x / 255 - IMAGENET_MEAN.to(x.dtype)) / IMAGENET_STD.to(x.dtype),
    "caffe": lambda x: x.flip(1) - CAFFE_MEAN.to(x.dtype),
}
AFTER = {
    "0..255": lambda y: y,
    "0..1": lambda y: y * 255,
    "-1..1": lambda y: (y + 1) * 127.5,
    "imagenet": lambda y: (y * IMAGENET_STD.to(y.dtype) + IMAGENET_MEAN.to(y.dtype)) * 255,
    "caffe": lambda y: (y + CAFFE_MEAN.to(y.dtype)).flip(1),
}
# value = scale * x + shift, by channel of the net, and whether the net's order is BGR.
_AFFINE = {
    "0..255": (torch.ones(3), torch.zeros(3), False),
    "0..1": (torch.full((3,), 1 / 255), torch.zeros(3), False),
    "-1..1": (torch.full((3,), 1 / 127.5), -torch.ones(3), False),
    "imagenet": (
        1 / (255 * IMAGENET_STD.flatten()), -(IMAGENET_MEAN / IMAGENET_STD).flatten(), False,
    ),
    "caffe": (torch.ones(3), -CAFFE_MEAN.flatten(), True),
}  # fmt: skip


@torch.no_grad()
def retold(net, taken, given=None):
    """The same function of a Johnson net, linear at its end, of values in other conventions."""
    net = copy.deepcopy(net)
    first, last = net.first, net.last
    scale, shift, bgr = _AFFINE[taken]
    if bgr:
        first.weight.copy_(first.weight.flip(1).clone())
    first.bias.sub_((first.weight * (shift / scale).view(1, 3, 1, 1)).sum((1, 2, 3)))
    first.weight.div_(scale.view(1, 3, 1, 1))
    scale, shift, bgr = _AFFINE[given or taken]
    if bgr:
        last.weight.copy_(last.weight.flip(0).clone())
        last.bias.copy_(last.bias.flip(0).clone())
    last.weight.mul_(scale.view(3, 1, 1, 1))
    last.bias.mul_(scale).add_(shift)
    return net
