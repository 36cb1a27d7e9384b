"""The objective of training: the loss network's layers and the weights of the terms."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sttk.toolkit.losses.terms import Reduction
from sttk.toolkit.nets.vgg import Normalisation, Pooling, Variant


@dataclass(frozen=True)
class Objective:
    """The terms of a perceptual loss. All weights are >= 0; a term of weight 0 is not computed.

    The defaults are sttk's own: the layers of Johnson et al. 2016 (section 4.1) with the content
    weight of the authors' code, and terms against faults of nets that are trained on these alone.

    Attributes:
        content_layer: the layer whose features are compared with the photograph's.
        style_layers: the layers whose Gram matrices are compared with the painting's.
        content_weight: the weight of the content loss.
        style_weight: the weight of the style loss.
        tv_weight: the weight of the total variation.
        color_weight: the weight of the squared difference of ``chroma_covariance`` from the
            painting's. Gram matrices hardly penalise patches of a foreign colour: such patches were
            seen to cost 3 % of the total while they covered a twentieth of the picture.
        peak_weight: the weight of the summed ``peakedness`` after each of the net's norms.
        border: the pixels of reflection padding that pictures get before the loss network. It pads
            with zeros, which makes faults along the border cheaper than elsewhere, and nets exploit
            that with stains in the corners.
        layer_weights: one factor for each style layer; empty for 1 each.
        content_reduction: the reduction of the squared differences of features.
        tv_reduction: the reduction of the squared differences of pixels.
        network: the loss network that the weights are for; None for whichever is available.
        normalisation: the input normalisation of the loss network's weights, since features differ
            in scale between them; None for any.
        pooling: the pooling between the loss network's blocks.
        unit_means: whether to divide features by their layer's mean over the package's photographs.
            Gatys et al. 2016 (section 2) scale each filter like this, over ImageNet; a handful of
            photographs gives a reliable mean only for the whole layer.
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
        """Raise ValueError if there is not one factor for each style layer."""
        if self.layer_weights and len(self.layer_weights) != len(self.style_layers):
            raise ValueError(f"{len(self.layer_weights)} factors, {len(self.style_layers)} layers")

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers of the loss network that the objective needs."""
        content = (self.content_layer,) if self.content_weight else ()
        return tuple(dict.fromkeys((*content, *self.weighted_layers)))

    @property
    def weighted_layers(self) -> dict[str, float]:
        """The style layers with their weights in the total; empty if the style weight is 0."""
        factors = self.layer_weights or (1.0,) * len(self.style_layers)
        pairs = zip(self.style_layers, factors, strict=True)
        return {name: self.style_weight * factor for name, factor in pairs if self.style_weight}

    def to_dict(self) -> dict[str, Any]:
        """Return the objective as plain JSON values, for model cards and reports."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Objective:
        """Read an objective from a model card; attributes that an older card lacks get defaults."""
        lists = ("style_layers", "layer_weights")
        return cls(**{**values, **{key: tuple(values[key]) for key in lists if key in values}})
