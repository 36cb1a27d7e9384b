"""VGG-16 and VGG-19 (Simonyan and Zisserman 2014) as loss networks, cut at named ReLUs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Variant = Literal["vgg16", "vgg19"]
Normalisation = Literal["caffe", "torchvision"]
Pooling = Literal["max", "average"]

_CONVS_PER_BLOCK: dict[Variant, tuple[int, ...]] = {
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
_BLOCK_WIDTHS = (64, 128, 256, 512, 512)
# Caffe nets take BGR 0..255 minus this mean (RGB order here); torchvision takes (x/255 - m) / s.
_CAFFE_MEAN = (123.68, 116.779, 103.939)
_TORCHVISION_MEAN = (0.485, 0.456, 0.406)
_TORCHVISION_STD = (0.229, 0.224, 0.225)


def layer_names(variant: Variant) -> list[str]:
    """Return the names of the convolutions in order: conv1_1, conv1_2, conv2_1, ..."""
    return [
        f"conv{block}_{i}"
        for block, count in enumerate(_CONVS_PER_BLOCK[variant], start=1)
        for i in range(1, count + 1)
    ]


class Vgg(nn.Module):
    """A feature extractor: (B, 3, H, W) in 0..255 RGB -> {"relu1_2": (B, 64, H, W), ...}.

    The net is frozen, in evaluation mode, and no deeper than the deepest of ``layers``.

    Args:
        variant: the net, VGG-16 or VGG-19.
        layers: the layers to return, such as ``relu3_3``.
        normalisation: the input normalisation that the weights were trained with.
        pooling: the pooling between blocks; average pooling in place of the net's own max makes
            smoother pictures (Gatys et al. 2016, section 2).
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        variant: Variant,
        layers: Iterable[str],
        normalisation: Normalisation = "caffe",
        pooling: Pooling = "max",
    ) -> None:
        super().__init__()
        self.variant = variant
        self.normalisation = normalisation
        self.pool = F.max_pool2d if pooling == "max" else F.avg_pool2d
        self.layers = tuple(dict.fromkeys(layers))
        names = layer_names(variant)
        unknown = [layer for layer in self.layers if layer.replace("relu", "conv") not in names]
        if unknown:
            raise ValueError(f"{variant} has no {', '.join(unknown)}")
        indices = (names.index(layer.replace("relu", "conv")) for layer in self.layers)
        deepest = max(indices, default=-1)
        self.convs = nn.ModuleDict(_convolutions(names[: deepest + 1]))
        mean, std = _statistics(normalisation)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor, until: str | None = None) -> dict[str, Tensor]:
        """Return the features of ``x``, leaving out those deeper than the layer ``until``."""
        features: dict[str, Tensor] = {}
        x = (x - self.mean) / self.std
        block = "1"
        for name, conv in self.convs.items():
            if name[4] != block:
                x, block = self.pool(x, 2), name[4]
            x = F.relu(conv(x))
            layer = name.replace("conv", "relu")
            if layer in self.layers:
                features[layer] = x
            if layer == until:
                break
        return features


def _convolutions(names: Sequence[str]) -> dict[str, nn.Module]:
    convs: dict[str, nn.Module] = {}
    channels = 3
    for name in names:
        width = _BLOCK_WIDTHS[int(name[4]) - 1]
        convs[name] = nn.Conv2d(channels, width, 3, padding=1)
        channels = width
    return convs


def _statistics(normalisation: Normalisation) -> tuple[Tensor, Tensor]:
    """Return the mean and scale of the input, each (1, 3, 1, 1), in RGB 0..255."""
    if normalisation == "caffe":
        mean, std = torch.tensor(_CAFFE_MEAN), torch.ones(3)
    else:
        mean, std = 255 * torch.tensor(_TORCHVISION_MEAN), 255 * torch.tensor(_TORCHVISION_STD)
    return mean.view(1, 3, 1, 1), std.view(1, 3, 1, 1)
