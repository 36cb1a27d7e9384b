"""mmalotin/pytorch-fast-neural-style-mobilenetV2.

The keys are ``conv1.weight``, ``conv2.conv2.weight`` (depthwise), ``res1.in3.bias``,
``upconv1.conv1.conv3.weight``, ``conv4.weight`` (see its fnst_modules.py). Input and output are RGB
in 0..255: its fnst.py reads with PIL, multiplies by 255 and normalises only the input of VGG.
"""

from __future__ import annotations

import re

import torch

from sttk.toolkit.checkpoints.layout import Loaded, Tensors
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.nets.mobilenetv2 import MobileNetV2Net, MobileNetV2Spec

NAME = "mobilenetv2"
DESCRIPTION = "mmalotin fast-neural-style MobileNetV2 (conv2.conv2.weight, upconv1.conv1..., conv4)"

_BOTTLENECK = re.compile(r"(conv[23]|res\d+|upconv[12]\.conv1)\.(conv|in)([123])\.(weight|bias)")
_RESIDUAL = re.compile(r"res(\d+)\.")
_MODULES = {
    "conv2": "down1",
    "conv3": "down2",
    "upconv1.conv1": "up1.block",
    "upconv2.conv1": "up2.block",
}
_FIRST_AND_LAST = {
    "conv1.weight": "conv1.conv.weight",
    "in1.weight": "norm1.weight",
    "in1.bias": "norm1.bias",
    "conv4.weight": "head.conv.weight",
}
KEYS = re.compile("|".join([_BOTTLENECK.pattern, *map(re.escape, _FIRST_AND_LAST)]))


def matches(state: Tensors) -> bool:
    """Recognise the layout by its first and last layers, depthwise and upsampling bottlenecks."""
    keys = ("conv1.weight", "conv2.conv2.weight", "upconv1.conv1.conv3.weight", "conv4.weight")
    if not all(key in state and state[key].ndim == 4 for key in keys):
        return False
    return state["conv2.conv2.weight"].shape[1] == 1


def build(state: Tensors) -> Loaded:
    """Return a :class:`MobileNetV2Net` with the widths, blocks and expansion of the shapes."""
    if any(value.numel() == 0 for value in state.values()):
        raise ValueError("a tensor without values")
    # Meta tensors take no memory, so widths that the file does not back cost nothing.
    with torch.device("meta"):
        net = MobileNetV2Net(_spec(state))
    net.load_state_dict({_new_key(key): value.float() for key, value in state.items()}, assign=True)
    return Loaded(net, Contract(size_multiple=4, smallest_side=5))


def _spec(state: Tensors) -> MobileNetV2Spec:
    # A norm's bias has as many values as its convolution has outputs.
    norms = ("in1.bias", "conv2.in3.bias", "conv3.in3.bias")
    full, half, quarter = (state[key].numel() for key in norms)
    expansion, rest = divmod(state["conv2.in1.bias"].numel(), full)
    if rest or not expansion:
        raise ValueError("a bottleneck's inner channels are not a multiple of its input's")
    blocks = {match[1] for key in state if (match := _RESIDUAL.match(key))}
    return MobileNetV2Spec((full, half, quarter), len(blocks), expansion)


def _new_key(key: str) -> str:
    if key in _FIRST_AND_LAST:
        return _FIRST_AND_LAST[key]
    if match := _BOTTLENECK.fullmatch(key):
        name, kind, number, part = match.groups()
        module = _MODULES.get(name) or f"blocks.{int(name.removeprefix('res')) - 1}"
        if kind == "in":
            return f"{module}.norm{number}.{part}"
        # Only the depthwise convolution is wrapped with its padding.
        return f"{module}.conv2.conv.{part}" if number == "2" else f"{module}.conv{number}.{part}"
    raise KeyError(f"unexpected key {key}")
