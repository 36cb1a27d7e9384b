"""Published objectives by name, so that results can be compared with those of others.

In all of them a Gram matrix is divided by C * H * W and compared by the mean of squared
differences. Where a source does otherwise, its weights are converted, and a comment says how.
"""

from __future__ import annotations

from dataclasses import replace

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.losses.objective import Objective

DEFAULT = "sttk"
GATYS = "gatys"

_PLAIN = Objective(color_weight=0.0, peak_weight=0.0, border=0)

# The layers are those of Johnson et al. 2016, section 4.1. The paper gives only the weight of total
# variation ("between 1e-6 and 1e-4", section 3.2; the middle here); the others are from the
# authors' code.
_JOHNSON_2016 = replace(
    _PLAIN,
    style_weight=5.0,
    tv_weight=1e-5,
    tv_reduction="half-sum",
    network="vgg16",
    normalisation="caffe",
)

# Gatys et al. 2015, section "Methods": eq. 1 (content, half a sum), eq. 4 and 5 (style, w = 1/5,
# 1 / (4 N^2 M^2) of a sum: with Gram matrices divided by N * M that is N^2 / 4 of the mean), ratio
# of content to style 1e-3. The paper names layers by their convolutions, and reads them after the
# ReLU.
_GATYS_2015 = replace(
    _PLAIN,
    content_layer="relu4_2",
    style_layers=("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
    style_weight=1e3,
    layer_weights=tuple(width**2 / 4 / 5 for width in (64, 128, 256, 512, 512)),
    content_reduction="half-sum",
    tv_weight=0.0,
    network="vgg19",
    normalisation="caffe",
    pooling="average",
    unit_means=True,
)

_GATYS_2016 = replace(_GATYS_2015, content_reduction="mean", layer_weights=())

PRESETS: dict[str, Objective] = {
    DEFAULT: Objective(),
    "johnson2016": _JOHNSON_2016,
    # The authors' own code, jcjohnson/fast-neural-style, train.lua, and its defaults.
    "jcjohnson": replace(_JOHNSON_2016, tv_weight=1e-6),
    # pytorch/examples, fast_neural_style/neural_style/neural_style.py. Its weights fit features of
    # torchvision's VGG-16, whose scale differs from Caffe's.
    "pytorch-examples": replace(
        _PLAIN,
        content_layer="relu2_2",
        content_weight=1e5,
        style_weight=1e10,
        tv_weight=0.0,
        network="vgg16",
        normalisation="torchvision",
    ),
    # lengstrom/fast-style-transfer, style.py and src/optimize.py.
    "lengstrom": replace(
        _PLAIN,
        content_layer="relu4_2",
        content_weight=7.5,
        style_layers=_GATYS_2015.style_layers,
        style_weight=100.0,
        tv_weight=200.0,
        network="vgg19",
        normalisation="caffe",
    ),
    "gatys2015": _GATYS_2015,
    # Gatys et al. 2016, after the authors' leongatys/PytorchNeuralStyleTransfer: means in place of
    # sums; its style weights of 1e3 / N^2 are for Gram matrices divided only by H * W.
    "gatys2016": _GATYS_2016,
    # The same for layers scaled as a whole (see ``unit_means``). Pictures like theirs then need a
    # larger style weight, and some total variation against the dots that average pooling leaves;
    # both were judged by eye, at 256 px from noise.
    GATYS: replace(_GATYS_2016, style_weight=1e5, tv_weight=3e-3),
}


def preset(name: str, **changes: object) -> Objective:
    """Return a published objective; ``changes`` that are not None replace its attributes.

    Raises:
        UsageError: there is no preset of this name.
    """
    if name not in PRESETS:
        raise UsageError(f"{name}: no preset", fix=f"known are {', '.join(PRESETS)}")
    given = {key: value for key, value in changes.items() if value is not None}
    return replace(PRESETS[name], **given)  # type: ignore[arg-type]
