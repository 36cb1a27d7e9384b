"""Perceptual losses of Johnson et al. 2016, section 3.2: content, style and total variation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from toolkit.nets.vgg import Vgg


def gram(features: Tensor) -> Tensor:
    """Gram matrix: (B, C, H, W) -> (B, C, C), divided by C * H * W (Johnson et al. 2016, eq. 3)."""
    b, c, h, w = features.shape
    # Sums of H * W products: in bfloat16 they would keep two digits.
    with torch.autocast(features.device.type, enabled=False):
        flat = _widened(features.reshape(b, c, h * w))
        return torch.bmm(flat, flat.transpose(1, 2)) / (c * h * w)


def _widened(x: Tensor) -> Tensor:
    """float32, or float64 where it is that already."""
    return x if x.dtype == torch.float64 else x.float()


def total_variation(x: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels of (B, C, H, W), a scalar."""
    down = (x[:, :, 1:] - x[:, :, :-1]).square().mean()
    right = (x[:, :, :, 1:] - x[:, :, :, :-1]).square().mean()
    return down + right


def chroma_covariance(x: Tensor) -> Tensor:
    """Spread of colour without light: (B, 3, H, W) RGB -> (B, 2, 2), of R - G and (R + G) / 2 - B.

    About zero, not the mean, so that it holds the mean too.
    """
    red, green, blue = x.unbind(dim=1)
    chroma = torch.stack([red - green, (red + green) / 2 - blue], dim=1).flatten(2)
    return torch.bmm(chroma, chroma.transpose(1, 2)) / chroma.shape[2]


def peakedness(features: Tensor) -> Tensor:
    """How much of the energy of (B, C, H, W) sits in few places: a scalar, 1 if it is even.

    The mean over the batch of E[e^2] / E[e]^2, where e is the sum of squares over the channels.
    Nets with instance norm learn to raise a single spot far above the rest, which scales all else
    in the next norm; it shows as one stain per picture (Karras et al. 2020, "Analyzing and
    Improving the Image Quality of StyleGAN", section 2, have it as droplets).
    """
    energy = _widened(features).square().sum(dim=1).flatten(1)  # (B, H * W)
    return (energy.square().mean(dim=1) / energy.mean(dim=1).square()).mean()


@dataclass(frozen=True)
class Objective:
    """What a style net is trained for: layers of the loss network and the weights of the terms.

    The defaults are the layers of Johnson et al. 2016 (section 3.2 and its supplement) with the
    content weight of the authors' code (jcjohnson/fast-neural-style, train.lua).

    Attributes:
        color_weight: of the squared difference of :func:`chroma_covariance` from the painting's.
            The Gram matrices leave patches of a foreign colour nearly free: seen to cost 3 % of
            the total while they covered a twentieth of the picture.
        peak_weight: of the summed :func:`peakedness` after each of the net's norms.
        border: pixels by which pictures are mirrored outward before the loss network sees them.
            It pads with zeros, so that what a net paints along the border would cost less than
            elsewhere, and nets use that: stains in the corners.
    """

    content_layer: str = "relu3_3"
    style_layers: tuple[str, ...] = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
    content_weight: float = 1.0
    style_weight: float = 40.0
    tv_weight: float = 40.0
    color_weight: float = 3.0
    peak_weight: float = 1000.0
    border: int = 8

    @property
    def layers(self) -> tuple[str, ...]:
        """All taps of the loss network that the objective needs."""
        return tuple(dict.fromkeys((self.content_layer, *self.style_layers)))


@dataclass(frozen=True)
class Losses:
    """The weighted terms of one batch, scalars that sum to ``total``."""

    content: Tensor
    style: Tensor
    tv: Tensor
    color: Tensor
    peak: Tensor

    @property
    def total(self) -> Tensor:
        """What is minimised."""
        return self.content + self.style + self.tv + self.color + self.peak

    def floats(self) -> dict[str, float]:
        """The terms as numbers, for logs."""
        names = ("content", "style", "tv", "color", "peak", "total")
        return {name: float(getattr(self, name).detach()) for name in names}


class PerceptualLoss:
    """Losses of stylised pictures against their photographs and one painting.

    Args:
        vgg: loss network with the taps of ``objective.layers``.
        style: the painting, (1, 3, H, W) in 0..255 RGB.
        objective: layers and weights.
    """

    def __init__(self, vgg: Vgg, style: Tensor, objective: Objective) -> None:
        self.vgg = vgg
        self.objective = objective
        with torch.no_grad():
            taps = vgg(self._mirrored(style))
        self.palette = chroma_covariance(style)
        self.targets = {name: gram(taps[name]) for name in objective.style_layers}

    def __call__(self, output: Tensor, photo: Tensor, inner: Sequence[Tensor] = ()) -> Losses:
        """``output`` and ``photo`` are (B, 3, H, W) in 0..255 RGB, of the same size; ``inner``
        are features within the net that should not peak.
        """
        aim = self.objective
        with torch.no_grad():
            wanted = self.vgg(self._mirrored(photo), until=aim.content_layer)[aim.content_layer]
        taps = self.vgg(self._mirrored(output))
        content = F.mse_loss(_widened(taps[aim.content_layer]), _widened(wanted))
        style = torch.stack([self._style(name, taps[name]) for name in aim.style_layers]).sum()
        return Losses(
            aim.content_weight * content,
            aim.style_weight * style,
            aim.tv_weight * total_variation(output),
            aim.color_weight * self._color(output),
            aim.peak_weight * sum((peakedness(x) for x in inner), output.new_zeros(())),
        )

    def _mirrored(self, x: Tensor) -> Tensor:
        return F.pad(x, [self.objective.border] * 4, mode="reflect")

    def _color(self, output: Tensor) -> Tensor:
        spread = chroma_covariance(output)
        return F.mse_loss(spread, self.palette.expand_as(spread))

    def _style(self, name: str, features: Tensor) -> Tensor:
        matrices = gram(features)
        return F.mse_loss(matrices, self.targets[name].expand_as(matrices))
