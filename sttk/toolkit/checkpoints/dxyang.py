"""dxyang/StyleTransfer.

The keys are ``conv1.conv2d.weight``, ``in1_e.weight``, ``res1.conv1.conv2d.weight``,
``deconv3.conv2d.weight`` (which is the first of three), ``in3_d.weight``. The values in and out are
less ImageNet's mean and divided by its standard deviation (style.py, utils.py). A ReLU follows the
sum of each residual block. The file holds a norm after the last convolution, ``in1_d``, which
network.py does not use: the line with it and a tanh is commented out.
"""

from __future__ import annotations

from sttk.toolkit.checkpoints.ends import IMAGENET
from sttk.toolkit.checkpoints.layout import Loaded, Tensors
from sttk.toolkit.checkpoints.skeletons import build as build_skeleton
from sttk.toolkit.checkpoints.skeletons import numbered
from sttk.toolkit.nets.skeleton import SkeletonSpec

NAME = "dxyang"
DESCRIPTION = "dxyang/StyleTransfer (conv1.conv2d.weight, in1_e.weight, in3_d..., ImageNet's mean)"

_KEYS = ("conv1.conv2d.weight", "res1.conv1.conv2d.weight", "deconv1.conv2d.weight")
_UNUSED = "in1_d."


def matches(state: Tensors) -> bool:
    """Recognise the layout by its convolutions and the names of its norms."""
    norms = "in1_e.weight" in state and "in3_d.weight" in state
    return norms and all(key in state and state[key].ndim == 4 for key in _KEYS)


def build(state: Tensors) -> Loaded:
    """Return a :class:`SkeletonNet` in 0..255."""
    used = {key: value for key, value in state.items() if not key.startswith(_UNUSED)}
    blocks = range(1, 1 + numbered(state, "res{}.conv1.conv2d.weight"))
    names = [
        *((f"conv{i}.conv2d", f"in{i}_e") for i in (1, 2, 3)),
        *((f"res{i}.conv{j}.conv2d", f"res{i}.in{j}") for i in blocks for j in (1, 2)),
        *((f"deconv{i}.conv2d", f"in{i}_d") for i in (3, 2)),
        ("deconv1.conv2d", ""),
    ]
    return build_skeleton(used, names, SkeletonSpec(relu_after_sum=True), IMAGENET)
