"""The comparison of two pictures' style by VGG losses, where pixels cannot decide.

A net that is chaotic in flat areas may paint an eye in another place and still be as good; one that
has lost its contrast may be as close in PSNR and be useless. The losses that the nets were trained
with tell the two apart (Johnson et al. 2016, section 3.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from sttk.toolkit.losses.objective import Objective
from sttk.toolkit.losses.terms import gram
from sttk.toolkit.losses.vgg_weights import load_vgg
from sttk.toolkit.nets.vgg import Vgg
from sttk.toolkit.parity.metrics import PEAK, Array

# The largest difference of a loss, as a share of the reference's: int8 nets that people cannot tell
# from their float nets stay within it.
_TOLERANCE = 0.05
# VGG was trained on pictures of some 224 px; a few pooled pixels make no Gram matrix.
_LEAST_SIDE = 32
# Wang et al. 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity".
_WINDOW, _SIGMA = 11, 1.5
_STABILISERS = ((0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2)


@dataclass(frozen=True)
class StyleDifference:
    """The difference in style between a candidate's picture and the reference's.

    Attributes:
        content: relative difference of their content losses, each against the photograph: 0.02 is
            2 %.
        style: the candidate's style loss against the reference's picture, as a share of the
            photograph's: 0 means the same Gram matrices, 1 means no style at all.
        ssim: structural similarity of the two pictures, 1 if they are equal.
    """

    content: float
    style: float
    ssim: float

    @property
    def same(self) -> bool:
        """Whether content and style are within 5 %. NaN is not."""
        return abs(self.content) <= _TOLERANCE and self.style <= _TOLERANCE


class StyleJudge:
    """A judge of style by VGG, whose weights are loaded when they are first needed.

    Args:
        vgg: a file of VGG weights, or None for those that are found on this machine.
    """

    def __init__(self, vgg: Path | None = None) -> None:
        self._file = vgg
        self._objective = Objective()

    @cached_property
    def _vgg(self) -> Vgg:
        return load_vgg(self._objective, self._file)

    @torch.inference_mode()
    def compare(self, candidate: Array, reference: Array, photo: Array) -> StyleDifference:
        """Compare two outputs for a photograph, all (B, 3, H, W) in 0..255.

        The photograph is scaled to the outputs' size.

        Raises:
            NotRunError: there are no weights.
            CheckpointError: the file is not a VGG's.
        """
        output, expected, source = (
            torch.from_numpy(each).float() for each in (candidate, reference, photo)
        )
        if source.shape != expected.shape:
            source = F.interpolate(source, expected.shape[-2:], mode="bilinear", antialias=True)
        features = [self._vgg(_large_enough(each)) for each in (output, expected, source)]
        layer = self._objective.content_layer
        content = [F.mse_loss(each[layer], features[2][layer]) for each in features[:2]]
        style = [self._distance(each, features[1]) for each in (features[0], features[2])]
        return StyleDifference(
            float(content[0] / content[1] - 1), float(style[0] / style[1]), ssim(output, expected)
        )

    def _distance(self, one: dict[str, Tensor], other: dict[str, Tensor]) -> Tensor:
        layers: Sequence[str] = self._objective.style_layers
        losses = [F.mse_loss(gram(one[layer]), gram(other[layer])) for layer in layers]
        return torch.stack(losses).sum()


def _large_enough(x: Tensor) -> Tensor:
    side = min(x.shape[-2:])
    return F.interpolate(x, scale_factor=-(-_LEAST_SIDE // side)) if side < _LEAST_SIDE else x


def ssim(one: Tensor, other: Tensor) -> float:
    """Return the mean structural similarity of two batches (B, 3, H, W) in 0..255."""
    offsets = torch.arange(_WINDOW) - _WINDOW // 2
    gaussian = torch.exp(-(offsets.double() ** 2) / (2 * _SIGMA**2))
    window = (gaussian[:, None] * gaussian / gaussian.sum() ** 2)[None, None]

    def blurred(x: Tensor) -> Tensor:
        flat = x.double().flatten(0, 1)[:, None]
        return F.conv2d(F.pad(flat, [_WINDOW // 2] * 4, mode="replicate"), window)

    means = blurred(one), blurred(other)
    variances = [
        blurred(x.double().square()) - m.square() for x, m in zip((one, other), means, strict=True)
    ]
    covariance = blurred(one.double() * other.double()) - means[0] * means[1]
    luminance, contrast = _STABILISERS
    numerator = (2 * means[0] * means[1] + luminance) * (2 * covariance + contrast)
    denominator = (means[0].square() + means[1].square() + luminance) * (sum(variances) + contrast)
    return float((numerator / denominator).mean())
