"""eriklindernoren/Fast-Neural-Style-Transfer.

The keys are ``model.0.block.1.weight``, ``model.0.norm.weight``, and in residual blocks
``model.3.block.0.block.1.weight`` (models.py). The values in and out are less ImageNet's mean and
divided by its standard deviation (``style_transform`` and ``denormalize`` of utils.py).

models.py asked ``if self.relu is not None`` at one time, which put a ReLU after every layer, the
last included. A file does not say which of the two it was trained with; the net here is that of
``if self.relu``.
"""

from __future__ import annotations

from sttk.toolkit.checkpoints.ends import IMAGENET
from sttk.toolkit.checkpoints.layout import Loaded, Tensors
from sttk.toolkit.checkpoints.skeletons import build as build_skeleton
from sttk.toolkit.checkpoints.skeletons import numbered

NAME = "eriklindernoren"
DESCRIPTION = "eriklindernoren/Fast-Neural-Style-Transfer (model.0.block.1.weight, model.0.norm...)"

_KEYS = ("model.0.block.1.weight", "model.3.block.0.block.1.weight")


def matches(state: Tensors) -> bool:
    """Recognise the layout by its first convolution and that of its first block."""
    return all(key in state and state[key].ndim == 4 for key in _KEYS)


def build(state: Tensors) -> Loaded:
    """Return a :class:`SkeletonNet` in 0..255."""
    blocks = numbered(state, "model.{}.block.0.block.1.weight", first=3)
    inner = (f"model.{3 + i}.block.{j}" for i in range(blocks) for j in (0, 1))
    outer = (f"model.{i}" for i in (0, 1, 2)), (f"model.{3 + blocks + i}" for i in (0, 1))
    names = [(f"{name}.block.1", f"{name}.norm") for name in (*outer[0], *inner, *outer[1])]
    names.append((f"model.{5 + blocks}.block.1", ""))
    return build_skeleton(state, names, values=IMAGENET)
