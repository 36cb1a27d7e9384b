"""An objective computed: losses of pictures against their photographs and one painting."""

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

# VGG was trained on pictures of this size.
_MEASURED = (224, 224)


@dataclass(frozen=True)
class Losses:
    """The weighted terms of one batch by name: scalars that sum to ``total``."""

    terms: dict[str, Tensor]

    @property
    def total(self) -> Tensor:
        """What is minimised."""
        return torch.stack(list(self.terms.values())).sum()

    def floats(self) -> dict[str, float]:
        """The terms and their total as numbers, for logs; one wait for the device."""
        values = torch.stack([*self.terms.values(), self.total]).detach().tolist()
        return dict(zip((*self.terms, "total"), values, strict=True))


class PerceptualLoss:
    """Losses of stylised pictures.

    Args:
        vgg: loss network with the taps of ``objective.layers``.
        style: the painting, (1, 3, H, W) in 0..255 RGB.
        objective: layers and weights.
    """

    def __init__(self, vgg: Vgg, style: Tensor, objective: Objective) -> None:
        self.vgg = vgg
        self.objective = objective
        self._scales = _unit_means(vgg, style) if objective.unit_means else {}
        with torch.no_grad():
            taps = self._taps(style)
        self.palette = chroma_covariance(style)
        self.targets = {name: gram(taps[name]) for name in objective.weighted_layers}

    @torch.no_grad()
    def content_of(self, photo: Tensor) -> Tensor | None:
        """What the output is held to: features of (B, 3, H, W); None if content does not count."""
        layer = self.objective.content_layer
        if not self.objective.content_weight:
            return None
        return self._taps(photo, until=layer)[layer]

    def __call__(
        self, output: Tensor, content: Tensor | None, inner: Sequence[Tensor] = ()
    ) -> Losses:
        """The terms of a batch.

        Args:
            output: (B, 3, H, W) in 0..255 RGB.
            content: :meth:`content_of` of photographs of the same size.
            inner: features within the net that should not peak.
        """
        aim = self.objective
        # Of two dozen milliseconds a crop, where a teacher alone is imitated.
        taps = self._taps(output) if content is not None or self.targets else {}
        terms: dict[str, Tensor] = {}
        if content is not None:
            apart = widened(taps[aim.content_layer]) - widened(content)
            terms["content"] = aim.content_weight * squares(apart, aim.content_reduction)
        if self.targets:
            terms["style"] = self._style(taps)
        if aim.tv_weight:
            terms["tv"] = aim.tv_weight * total_variation(output, aim.tv_reduction)
        if aim.color_weight:
            terms["color"] = aim.color_weight * _apart(chroma_covariance(output), self.palette)
        if aim.peak_weight and inner:
            peaks = torch.stack([peakedness(features) for features in inner])
            terms["peak"] = aim.peak_weight * peaks.sum()
        return Losses(terms)

    def _taps(self, x: Tensor, until: str | None = None) -> dict[str, Tensor]:
        mirrored = F.pad(x, [self.objective.border] * 4, mode="reflect")
        taps: dict[str, Tensor] = self.vgg(mirrored, until=until)
        for name in self._scales.keys() & taps.keys():
            taps[name] = taps[name] * self._scales[name]
        return taps

    def _style(self, taps: dict[str, Tensor]) -> Tensor:
        weights = self.objective.weighted_layers
        parts = [
            weight * _apart(gram(taps[name]), self.targets[name])
            for name, weight in weights.items()
        ]
        return torch.stack(parts).sum()


@torch.no_grad()
def _unit_means(vgg: Vgg, like: Tensor) -> dict[str, Tensor]:
    """What brings the mean of each tap over the package's photographs to 1."""
    photos = [torch.from_numpy(x).to(like) for x in photographs(shipped_photos(), _MEASURED)]
    taps = [vgg(photo) for photo in photos]
    return {name: 1 / torch.stack([tap[name].mean() for tap in taps]).mean() for name in vgg.layers}


def _apart(matrices: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of (B, C, C) from one target (1, C, C)."""
    return (matrices - target).square().mean()
