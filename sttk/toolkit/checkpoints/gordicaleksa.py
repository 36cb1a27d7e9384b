"""gordicaleksa/pytorch-neural-style-transfer-johnson.

The keys are ``conv1.conv2d.weight``, ``in1.weight``, ``res1.conv1.conv2d.weight``,
``up1.conv2d.conv2d.weight``, ``up3.conv2d.weight`` (models/definitions/transformer_net.py). The
values in and out are less ImageNet's mean and divided by its standard deviation (``prepare_img``
and ``post_process_image`` of utils/utils.py).
"""

from __future__ import annotations

from sttk.toolkit.checkpoints.ends import IMAGENET
from sttk.toolkit.checkpoints.layout import Loaded, Tensors
from sttk.toolkit.checkpoints.skeletons import build as build_skeleton
from sttk.toolkit.checkpoints.skeletons import numbered

NAME = "gordicaleksa"
DESCRIPTION = "gordicaleksa/pytorch-neural-style-transfer-johnson (up1.conv2d.conv2d..., up3)"

_KEYS = ("conv1.conv2d.weight", "up1.conv2d.conv2d.weight", "up3.conv2d.weight")


def matches(state: Tensors) -> bool:
    """Recognise the layout by its first convolution, and the first and the last of its ups."""
    return all(key in state and state[key].ndim == 4 for key in _KEYS)


def build(state: Tensors) -> Loaded:
    """Return a :class:`SkeletonNet` in 0..255."""
    blocks = range(1, 1 + numbered(state, "res{}.conv1.conv2d.weight"))
    names = [
        *((f"conv{i}.conv2d", f"in{i}") for i in (1, 2, 3)),
        *((f"res{i}.conv{j}.conv2d", f"res{i}.in{j}") for i in blocks for j in (1, 2)),
        ("up1.conv2d.conv2d", "in4"),
        ("up2.conv2d.conv2d", "in5"),
        ("up3.conv2d", ""),
    ]
    return build_skeleton(state, names, values=IMAGENET)
