"""What is minimised: layers of the loss network, and the weights of the terms."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sttk.toolkit.losses.terms import Reduction
from sttk.toolkit.nets.vgg import Normalisation, Pooling, Variant


@dataclass(frozen=True)
class Objective:
    """The terms of a perceptual loss. All weights are >= 0; a term of weight 0 is not computed.

    The defaults are sttk's own: the layers of Johnson et al. 2016 (section 4.1) with the content
    weight of the authors' code, and terms against faults that nets trained on these alone have.

    Attributes:
        content_layer: tap whose features are compared with the photograph's.
        style_layers: taps whose Gram matrices are compared with the painting's.
        layer_weights: one factor for each style layer; empty for 1 each.
        color_weight: of the squared difference of ``chroma_covariance`` from the painting's. The
            Gram matrices leave patches of a foreign colour nearly free: seen to cost 3 % of the
            total while they covered a twentieth of the picture.
        peak_weight: of the summed ``peakedness`` after each of the net's norms.
        border: pixels by which pictures are mirrored outward before the loss network sees them.
            It pads with zeros, so that what a net paints along the border would cost less than
            elsewhere, and nets use that: stains in the corners.
        content_reduction: of the squared differences of features.
        tv_reduction: of the squared differences of pixels.
        network: the loss network that the weights are for; None for whichever is at hand.
        normalisation: whose weights of it, for their features differ in scale; None for any.
        pooling: between the loss network's blocks.
        unit_means: features divided by their layer's mean over the package's photographs. Gatys et
            al. 2016 (section 2) scale each filter so, over ImageNet; of a handful of photographs
            only the layer's mean is sure.
    """

    content_layer: str = "relu3_3"
    style_layers: tuple[str, ...] = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
    content_weight: float = 1.0
    style_weight: float = 40.0
    tv_weight: float = 40.0
    color_weight: float = 3.0
    peak_weight: float = 1000.0
    border: int = 8
    layer_weights: tuple[float, ...] = ()
    content_reduction: Reduction = "mean"
    tv_reduction: Reduction = "mean"
    network: Variant | None = None
    normalisation: Normalisation | None = None
    pooling: Pooling = "max"
    unit_means: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError where the factors do not fit the layers."""
        if self.layer_weights and len(self.layer_weights) != len(self.style_layers):
            raise ValueError(f"{len(self.layer_weights)} factors, {len(self.style_layers)} layers")

    @property
    def layers(self) -> tuple[str, ...]:
        """All taps of the loss network that the objective needs."""
        content = (self.content_layer,) if self.content_weight else ()
        return tuple(dict.fromkeys((*content, *self.weighted_layers)))

    @property
    def weighted_layers(self) -> dict[str, float]:
        """The style layers, each with its weight in the total; none if style does not count."""
        factors = self.layer_weights or (1.0,) * len(self.style_layers)
        pairs = zip(self.style_layers, factors, strict=True)
        return {name: self.style_weight * factor for name, factor in pairs if self.style_weight}

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, for model cards and reports."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Objective:
        """Of a model card. One that was written before an attribute was, has its default."""
        lists = ("style_layers", "layer_weights")
        return cls(**{**values, **{key: tuple(values[key]) for key in lists if key in values}})
