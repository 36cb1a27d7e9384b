"""rrmina/fast-neural-style-pytorch: TransformerResNextNetwork and its pruned sizes.

The keys are ``ConvBlock.0.conv_layer.weight``, ``ResidualBlock.0.conv3.norm_layer.bias``,
``DeconvBlock.0.conv_transpose.weight`` (see its experimental.py). Input and output are in 0..255
without a mean, but **BGR**: its train.py reverses the channels of each batch for VGG's Caffe
weights, and its utils.py reads and writes with OpenCV. Reversing the input channels of the first
convolution and the output channels of the last gives the same function in RGB, because a
convolution sums over its input channels in any order.

The repository's other nets are not read: the plain net, the one with a tanh and the pre-activation
one have the same keys and shapes, so a file does not tell which of them it is.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor

from sttk.toolkit.checkpoints.layout import Loaded, Tensors
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.nets.resnext import ResNextNet, ResNextSpec

NAME = "rrmina-resnext"
DESCRIPTION = "rrmina/fast-neural-style-pytorch ResNeXt (ConvBlock.0.conv_layer.weight, BGR)"

_FIRST = "ConvBlock.0.conv_layer"
_LAST = "DeconvBlock.4.conv_layer"
_BLOCK = re.compile(r"ResidualBlock\.(\d+)\.(conv[123])\.(conv|norm)_layer\.(weight|bias)")
_LAYER = re.compile(r"(ConvBlock|DeconvBlock)\.([024])\.(conv|norm)_(?:layer|transpose)\.(.+)")
KEYS = re.compile(rf"{_BLOCK.pattern}|{_LAYER.pattern}")
_MODULES = {
    ("ConvBlock", "0"): ("conv1", "norm1"),
    ("ConvBlock", "2"): ("conv2", "norm2"),
    ("ConvBlock", "4"): ("conv3", "norm3"),
    ("DeconvBlock", "0"): ("up1", "norm4"),
    ("DeconvBlock", "2"): ("up2", "norm5"),
    ("DeconvBlock", "4"): ("head", ""),
}
# Only the 3x3 convolution is wrapped with its padding.
_BLOCK_MODULES = {
    ("conv1", "norm"): "norm1",
    ("conv2", "norm"): "norm2",
    ("conv3", "norm"): "norm3",
    ("conv2", "conv"): "conv2.conv",
}


def matches(state: Tensors) -> bool:
    """Recognise the layout by its first, last and a transposed convolution, and a block's third."""
    up, block = "DeconvBlock.0.conv_transpose", "ResidualBlock.0.conv3.conv_layer"
    keys = (f"{module}.weight" for module in (_FIRST, _LAST, up, block))
    return all(key in state and state[key].ndim == 4 for key in keys)


def build(state: Tensors) -> Loaded:
    """Return a :class:`ResNextNet` in RGB whose widths and blocks are read from the shapes."""
    if any(value.numel() == 0 for value in state.values()):
        raise ValueError("a tensor without values")
    # Meta tensors take no memory, so widths that the file does not back cost nothing.
    with torch.device("meta"):
        net = ResNextNet(_spec(state))
    net.load_state_dict({_new_key(key): _in_rgb(key, state[key]) for key in state}, assign=True)
    return Loaded(net, Contract(size_multiple=4, smallest_side=5))


def _spec(state: Tensors) -> ResNextSpec:
    full, half, quarter = (state[f"ConvBlock.{i}.conv_layer.bias"].numel() for i in (0, 2, 4))
    first, second = (state[f"ResidualBlock.0.conv{i}.conv_layer.bias"].numel() for i in (1, 2))
    up_half, up_full = (state[f"DeconvBlock.{i}.conv_transpose.bias"].numel() for i in (0, 2))
    blocks = {match[1] for key in state if (match := _BLOCK.fullmatch(key))}
    return ResNextSpec((full, half, quarter), (first, second), (up_half, up_full), len(blocks))


def _in_rgb(key: str, value: Tensor) -> Tensor:
    """Return the tensor in float32, with BGR reversed where it meets the picture."""
    if key == f"{_FIRST}.weight":
        return value.float().flip(1)  # (32, 3, 9, 9): input channels
    if key in (f"{_LAST}.weight", f"{_LAST}.bias"):
        return value.float().flip(0)  # (3, 32, 9, 9) and (3,): output channels
    return value.float()


def _new_key(key: str) -> str:
    if match := _BLOCK.fullmatch(key):
        index, name, kind, part = match.groups()
        return f"blocks.{index}.{_BLOCK_MODULES.get((name, kind), name)}.{part}"
    if match := _LAYER.fullmatch(key):
        group, index, kind, part = match.groups()
        conv, norm = _MODULES[group, index]
        return f"{conv}.conv.{part}" if kind == "conv" else f"{norm}.{part}"
    raise KeyError(f"unexpected key {key}")
