"""AnimeGANv2: bryandlee/animegan2-pytorch.

The keys are ``block_a.0.1.weight`` (7x7), ``block_a.0.2.weight`` (its norm), ``block_c.1.layers.
0.1.weight``, ``out_layer.0.weight`` (model.py). The values are -1..1, in and out (test.py). The ups
align corners, which is the default of the net and of torch.hub; the author's test.py asks for them
unaligned unless it is told otherwise, and a file does not say which was meant.
"""

from __future__ import annotations

import re

import torch

from sttk.toolkit.checkpoints.ends import SIGNED, entering
from sttk.toolkit.checkpoints.layout import Loaded, Tensors
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.convention import Guess
from sttk.toolkit.nets.animegan import AnimeNet, AnimeSpec

NAME = "bryandlee"
DESCRIPTION = "AnimeGANv2, bryandlee/animegan2-pytorch (block_a.0.1.weight, out_layer.0.weight)"

_GUESS = Guess("upsampling", "bilinear with aligned corners", "the default of the author's net", "")
_KEYS = ("block_a.0.1.weight", "block_c.1.layers.0.1.weight", "out_layer.0.weight")
_LAYER = re.compile(r"(block_[a-e]\.\d+)\.([12])\.(weight|bias)")
_INNER = re.compile(r"(block_c\.\d+)\.layers\.([01])\.([12])\.(weight|bias)")
_LAST = re.compile(r"(block_c\.\d+)\.layers\.([23])\.(weight|bias)")


def matches(state: Tensors) -> bool:
    """Recognise the layout by its first, its last and an inverted block's convolution."""
    return all(key in state and state[key].ndim == 4 for key in _KEYS)


def build(state: Tensors) -> Loaded:
    """Return an :class:`AnimeNet` in 0..255."""
    if any(value.numel() == 0 for value in state.values()):
        raise ValueError("a tensor without values")
    spec = _spec(state)
    # Meta tensors take no memory, so widths that the file does not back cost nothing.
    with torch.device("meta"):
        net = AnimeNet(spec)
    weights = {_new_key(key): value.float() for key, value in state.items()}
    for key, value in weights.items():
        if ".norm." in key:
            weights[key] = value.reshape(1, -1, 1, 1)
    weights["block_a.0.conv.bias"] = torch.zeros(spec.widths[0])
    net.load_state_dict(weights, assign=True)  # before the range is moved: it checks the shapes
    keys = "block_a.0.conv.weight", "block_a.0.conv.bias"
    weights[keys[0]], weights[keys[1]] = entering(weights[keys[0]], weights[keys[1]], SIGNED)
    net.load_state_dict(weights, assign=True)
    return Loaded(net, Contract(size_multiple=1, smallest_side=8), guesses=(_GUESS,), turned=True)


def _spec(state: Tensors) -> AnimeSpec:
    layers = ("block_a.0", "block_a.1", "block_b.0")
    full, half, quarter = (state[f"{name}.1.weight"].shape[0] for name in layers)
    wide, taken = state["block_c.1.layers.0.1.weight"].shape[:2]
    blocks = len({match[1] for key in state if (match := _INNER.fullmatch(key))})
    inner = state["block_c.1.layers.2.weight"].shape[0]
    return AnimeSpec((full, half, quarter), inner, blocks, wide // max(1, taken))


def _new_key(key: str) -> str:
    if match := _LAYER.fullmatch(key):
        return f"{match[1]}.{'conv' if match[2] == '1' else 'norm'}.{match[3]}"
    if match := _INNER.fullmatch(key):
        layer = f"{match[1]}.{'grow' if match[2] == '0' else 'depth'}"
        return f"{layer}.{'conv' if match[3] == '1' else 'norm'}.{match[4]}"
    if match := _LAST.fullmatch(key):
        return f"{match[1]}.{'shrink' if match[2] == '2' else 'norm'}.{match[3]}"
    if key == "out_layer.0.weight":
        return "head.weight"
    raise KeyError(f"unexpected key {key}")
