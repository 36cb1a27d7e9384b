"""joshbrew/onnxruntime-web-fast-style-transfer, its plain net.

The keys are pytorch/examples' but for the blocks, ``resblocks.0.conv1.conv2d.weight``, after whose
sum a ReLU follows (``TransformerNet`` of transformer_net.py). The values are RGB in 0..255
(neural_style.py).
"""

from __future__ import annotations

from sttk.toolkit.checkpoints.layout import Loaded, Tensors
from sttk.toolkit.checkpoints.skeletons import build as build_skeleton
from sttk.toolkit.checkpoints.skeletons import numbered
from sttk.toolkit.nets.skeleton import SkeletonSpec

NAME = "joshbrew"
DESCRIPTION = "joshbrew's plain net (conv1.conv2d.weight, resblocks.0.conv1.conv2d.weight, deconv3)"

_KEYS = ("conv1.conv2d.weight", "resblocks.0.conv1.conv2d.weight", "deconv3.conv2d.weight")


def matches(state: Tensors) -> bool:
    """Recognise the layout by its first, its last and its first block's convolution."""
    return all(key in state and state[key].ndim == 4 for key in _KEYS)


def build(state: Tensors) -> Loaded:
    """Return a :class:`SkeletonNet`."""
    blocks = numbered(state, "resblocks.{}.conv1.conv2d.weight", first=0)
    inner = [f"resblocks.{i}" for i in range(blocks)]
    names = [
        *((f"conv{i}.conv2d", f"in{i}") for i in (1, 2, 3)),
        *((f"{name}.conv{j}.conv2d", f"{name}.in{j}") for name in inner for j in (1, 2)),
        *((f"deconv{i}.conv2d", f"in{3 + i}") for i in (1, 2)),
        ("deconv3.conv2d", ""),
    ]
    return build_skeleton(state, names, SkeletonSpec(relu_after_sum=True))
