"""igreat/fast-style-transfer.

The keys are ``layers.0.conv.weight``, ``layers.1.weight`` (a norm), ``layers.9.conv1.conv.weight``,
``layers.9.instance_norm1.weight`` (models/transformation_models.py). The values in and out are less
ImageNet's mean and divided by its standard deviation (stylize_image.py). Its older nets, with batch
norm, an input padded by 40 and blocks that shrink, are not read.
"""

from __future__ import annotations

from sttk.toolkit.checkpoints.ends import IMAGENET
from sttk.toolkit.checkpoints.layout import Loaded, Tensors
from sttk.toolkit.checkpoints.skeletons import build as build_skeleton
from sttk.toolkit.checkpoints.skeletons import numbered

NAME = "igreat"
DESCRIPTION = "igreat/fast-style-transfer (layers.0.conv.weight, layers.9.instance_norm1.weight)"

_FIRST = 9  # the place of the first block, after three times a convolution, a norm and a ReLU
_KEYS = ("layers.0.conv.weight", f"layers.{_FIRST}.conv1.conv.weight")


def matches(state: Tensors) -> bool:
    """Recognise the layout by its first convolution and that of its first block."""
    return all(key in state and state[key].ndim == 4 for key in _KEYS)


def build(state: Tensors) -> Loaded:
    """Return a :class:`SkeletonNet` in 0..255."""
    blocks = numbered(state, "layers.{}.conv1.conv.weight", first=_FIRST)
    inner = [f"layers.{_FIRST + i}" for i in range(blocks)]
    ups = _FIRST + blocks
    names = [
        *((f"layers.{i}.conv", f"layers.{i + 1}") for i in (0, 3, 6)),
        *((f"{name}.conv{j}.conv", f"{name}.instance_norm{j}") for name in inner for j in (1, 2)),
        *((f"layers.{i}.conv.conv", f"layers.{i + 1}") for i in (ups, ups + 3)),
        (f"layers.{ups + 6}.conv", ""),
    ]
    return build_skeleton(state, names, values=IMAGENET)
