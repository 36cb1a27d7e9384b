"""pytorch/examples, fast_neural_style: the net of most published checkpoints.

The keys are ``conv1.conv2d.weight``, ``in1.weight``, ``res1.conv1.conv2d.weight``, ``deconv1...3``.
Input and output are RGB in 0..255, with reflection padding, nearest upsampling and no tanh (see its
transformer_net.py). Files from before torch 0.4 carry instance-norm buffers ``running_mean`` and
``running_var``, which that net never used.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor

from sttk.toolkit.checkpoints.layout import Loaded, Tensors
from sttk.toolkit.nets.johnson import JohnsonNet, JohnsonSpec

NAME = "pytorch-examples"
DESCRIPTION = (
    "pytorch/examples fast_neural_style (conv1.conv2d.weight, in1.weight, res1..., deconv3)"
)

_UNUSED = (".running_mean", ".running_var", ".num_batches_tracked")
_MODULES = {
    "conv1": "conv1.conv",
    "conv2": "conv2.conv",
    "conv3": "conv3.conv",
    "deconv1": "up1.conv",
    "deconv2": "up2.conv",
    "deconv3": "head.conv",
}
_BLOCK = re.compile(r"res(\d+)\.(conv|in)([12])(?:\.conv2d)?\.(weight|bias)")
_CONV = re.compile(r"(conv[123]|deconv[123])\.conv2d\.(weight|bias)")
_NORM = re.compile(r"in([1-5])\.(weight|bias)")
KEYS = re.compile(
    rf"{_BLOCK.pattern}|{_CONV.pattern}|{_NORM.pattern}"
    r"|(in[1-5]|res\d+\.in[12])\.(running_mean|running_var|num_batches_tracked)"
)


def matches(state: Tensors) -> bool:
    """Recognise the layout by its first convolution, first block and last convolution."""
    keys = ("conv1.conv2d.weight", "res1.conv1.conv2d.weight", "deconv3.conv2d.weight")
    return all(key in state and state[key].ndim == 4 for key in keys)


def build(state: Tensors) -> Loaded:
    """Return a :class:`JohnsonNet` whose widths are read from the convolutions."""
    if any(value.numel() == 0 for value in _used(state).values()):
        raise ValueError("a tensor without values")
    widths = tuple(state[f"conv{i}.conv2d.weight"].shape[0] for i in (1, 2, 3))
    blocks = {int(match[1]) for key in state if (match := _BLOCK.fullmatch(key))}
    spec = JohnsonSpec(widths=(widths[0], widths[1], widths[2]), blocks=len(blocks))
    # Meta tensors take no memory, so widths that the file does not back cost nothing.
    with torch.device("meta"):
        net = JohnsonNet(spec)
    net.load_state_dict(_renamed(state), assign=True)
    return Loaded(net)


def _renamed(state: Tensors) -> dict[str, Tensor]:
    return {_new_key(key): value.float() for key, value in _used(state).items()}


def _used(state: Tensors) -> Tensors:
    return {key: value for key, value in state.items() if not key.endswith(_UNUSED)}


def _new_key(key: str) -> str:
    if match := _BLOCK.fullmatch(key):
        index, kind, number, part = match.groups()
        layer = f"conv{number}.conv" if kind == "conv" else f"norm{number}"
        return f"blocks.{int(index) - 1}.{layer}.{part}"
    if match := _CONV.fullmatch(key):
        return f"{_MODULES[match[1]]}.{match[2]}"
    if match := _NORM.fullmatch(key):
        return f"norm{match[1]}.{match[2]}"
    raise KeyError(f"unexpected key {key}")
