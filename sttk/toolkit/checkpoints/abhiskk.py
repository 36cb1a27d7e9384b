"""abhiskk/fast-neural-style, the nets released in 2017, from which pytorch/examples' came.

The keys are those of pytorch/examples but for the norms, which are the author's own: ``in1.scale``,
``in1.shift``, ``res1.in1.scale``, with an epsilon of 1e-9 (neural_style/transformer_net.py). The
net takes and gives **BGR** in 0..255: its neural_style.py feeds ``preprocess_batch``, which turns
the channels, and writes with ``tensor_save_bgrimage``. Files from before the residual blocks had a
second norm are refused: there the output was a tanh, too.
"""

from __future__ import annotations

from sttk.toolkit.checkpoints.ends import BGR
from sttk.toolkit.checkpoints.layout import Loaded, Tensors
from sttk.toolkit.checkpoints.pytorch_examples import names
from sttk.toolkit.checkpoints.skeletons import build as build_skeleton
from sttk.toolkit.nets.skeleton import SkeletonSpec

NAME = "abhiskk"
DESCRIPTION = "abhiskk/fast-neural-style of 2017 (conv1.conv2d.weight, in1.scale, in1.shift, BGR)"

_EPSILON = 1e-9
_KEYS = ("conv1.conv2d.weight", "res1.conv1.conv2d.weight", "deconv3.conv2d.weight")
_PARTS = {"scale": "weight", "shift": "bias"}


def matches(state: Tensors) -> bool:
    """Recognise the layout by pytorch/examples' convolutions and a norm with a scale."""
    return "in1.scale" in state and all(key in state and state[key].ndim == 4 for key in _KEYS)


def build(state: Tensors) -> Loaded:
    """Return a :class:`SkeletonNet` in RGB."""
    renamed = {_new_key(key): value for key, value in state.items()}
    return build_skeleton(renamed, names(renamed), SkeletonSpec(epsilon=_EPSILON), BGR)


def _new_key(key: str) -> str:
    name, dot, part = key.rpartition(".")
    return f"{name}{dot}{_PARTS.get(part, part)}"
