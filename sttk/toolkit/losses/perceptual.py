"""The computation of an objective on pictures, their photographs and one painting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from sttk.toolkit.imaging.regimes import photographs, shipped_photos
from sttk.toolkit.losses.objective import Objective
from sttk.toolkit.losses.terms import (
    chroma_covariance,
    gram,
    peakedness,
    squares,
    total_variation,
    widened,
)
from sttk.toolkit.nets.vgg import Vgg

# The picture size that VGG was trained on.
_MEASURED = (224, 224)


@dataclass(frozen=True)
class Losses:
    """The weighted terms of one batch by name, scalars that sum to ``total``."""

    terms: dict[str, Tensor]

    @property
    def total(self) -> Tensor:
        """The loss to minimise."""
        return torch.stack(list(self.terms.values())).sum()

    def floats(self) -> dict[str, float]:
        """Return the terms and their total as numbers, for logs, in one device synchronisation."""
        values = torch.stack([*self.terms.values(), self.total]).detach().tolist()
        return dict(zip((*self.terms, "total"), values, strict=True))


class PerceptualLoss:
    """The loss of stylised pictures.

    Args:
        vgg: the loss network, with the layers of ``objective.layers``.
        style: the painting, (1, 3, H, W) in 0..255 RGB.
        objective: the layers and weights.
    """

    def __init__(self, vgg: Vgg, style: Tensor, objective: Objective) -> None:
        self.vgg = vgg
        self.objective = objective
        self._scales = _unit_means(vgg, style) if objective.unit_means else {}
        with torch.no_grad():
            features = self._features(style)
        self.palette = chroma_covariance(style)
        self.targets = {name: gram(features[name]) for name in objective.weighted_layers}

    @torch.no_grad()
    def content_of(self, photo: Tensor) -> Tensor | None:
        """Return the content features of (B, 3, H, W), or None if the content weight is 0."""
        layer = self.objective.content_layer
        if not self.objective.content_weight:
            return None
        return self._features(photo, until=layer)[layer]

    def __call__(
        self, output: Tensor, content: Tensor | None, inner: Sequence[Tensor] = ()
    ) -> Losses:
        """Return the terms of a batch.

        Args:
            output: the stylised pictures, (B, 3, H, W) in 0..255 RGB.
            content: :meth:`content_of` of the photographs, at the same size.
            inner: intermediate features of the style net whose peaks are penalised.
        """
        objective = self.objective
        # Pure distillation needs no features; computing them takes two dozen milliseconds per crop.
        features = self._features(output) if content is not None or self.targets else {}
        terms: dict[str, Tensor] = {}
        if content is not None:
            difference = widened(features[objective.content_layer]) - widened(content)
            content_loss = squares(difference, objective.content_reduction)
            terms["content"] = objective.content_weight * content_loss
        if self.targets:
            terms["style"] = self._style(features)
        if objective.tv_weight:
            variation = total_variation(output, objective.tv_reduction)
            terms["tv"] = objective.tv_weight * variation
        if objective.color_weight:
            color_loss = _mean_squared(chroma_covariance(output), self.palette)
            terms["color"] = objective.color_weight * color_loss
        if objective.peak_weight and inner:
            peaks = torch.stack([peakedness(each) for each in inner])
            terms["peak"] = objective.peak_weight * peaks.sum()
        return Losses(terms)

    def _features(self, x: Tensor, until: str | None = None) -> dict[str, Tensor]:
        padded = F.pad(x, [self.objective.border] * 4, mode="reflect")
        features: dict[str, Tensor] = self.vgg(padded, until=until)
        for name in self._scales.keys() & features.keys():
            features[name] = features[name] * self._scales[name]
        return features

    def _style(self, features: dict[str, Tensor]) -> Tensor:
        weights = self.objective.weighted_layers
        parts = [
            weight * _mean_squared(gram(features[name]), self.targets[name])
            for name, weight in weights.items()
        ]
        return torch.stack(parts).sum()


@torch.no_grad()
def _unit_means(vgg: Vgg, like: Tensor) -> dict[str, Tensor]:
    """Return the scale of each layer that makes its mean over the package's photographs 1.

    A layer that is zero for all of them, which no scale makes 1, keeps its own.
    """
    photos = [torch.from_numpy(x).to(like) for x in photographs(shipped_photos(), _MEASURED)]
    features = [vgg(photo) for photo in photos]
    means = {name: torch.stack([each[name].mean() for each in features]) for name in vgg.layers}
    return {name: 1 / each.mean() for name, each in means.items() if each.any()}


def _mean_squared(matrices: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared difference of (B, C, C) from one target (1, C, C)."""
    return (matrices - target).square().mean()
