"""yakhyo/fast-neural-style-transfer.

The keys are pytorch/examples' but for the ups, ``upsample_conv1.conv2d.weight``, as are the values:
RGB in 0..255 (model.py, utils.py). Its residual blocks add their input **twice**: ``out = out +
residual`` stands before ``return out + residual``. Files that the repository made before it had
these names are pytorch/examples' in every respect.
"""

from __future__ import annotations

from sttk.toolkit.checkpoints.layout import Loaded, Tensors
from sttk.toolkit.checkpoints.skeletons import build as build_skeleton
from sttk.toolkit.checkpoints.skeletons import numbered
from sttk.toolkit.nets.skeleton import SkeletonSpec

NAME = "yakhyo"
DESCRIPTION = "yakhyo/fast-neural-style-transfer (upsample_conv1.conv2d.weight; blocks add x twice)"

_KEYS = ("conv1.conv2d.weight", "upsample_conv1.conv2d.weight", "upsample_conv3.conv2d.weight")


def matches(state: Tensors) -> bool:
    """Recognise the layout by its first convolution, and the first and the last of its ups."""
    return all(key in state and state[key].ndim == 4 for key in _KEYS)


def build(state: Tensors) -> Loaded:
    """Return a :class:`SkeletonNet`."""
    blocks = range(1, 1 + numbered(state, "res{}.conv1.conv2d.weight"))
    names = [
        *((f"conv{i}.conv2d", f"in{i}") for i in (1, 2, 3)),
        *((f"res{i}.conv{j}.conv2d", f"res{i}.in{j}") for i in blocks for j in (1, 2)),
        ("upsample_conv1.conv2d", "in4"),
        ("upsample_conv2.conv2d", "in5"),
        ("upsample_conv3.conv2d", ""),
    ]
    return build_skeleton(state, names, SkeletonSpec(skip=2))
