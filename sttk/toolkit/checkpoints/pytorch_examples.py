"""pytorch/examples, fast_neural_style: the net of most published checkpoints.

The keys are ``conv1.conv2d.weight``, ``in1.weight``, ``res1.conv1.conv2d.weight``, ``deconv1...3``.
Input and output are RGB in 0..255, with reflection padding, nearest upsampling and no tanh (see its
transformer_net.py). Forks with batch norms, or instance norms that track statistics, have the same
keys and shapes (:mod:`statistics`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch
from torch import nn

from sttk.toolkit.checkpoints.layout import Loaded, Tensors
from sttk.toolkit.checkpoints.skeletons import numbered
from sttk.toolkit.checkpoints.statistics import RUNNING, statistics_of, used
from sttk.toolkit.nets.johnson import JohnsonNet, JohnsonSpec, Norm

NAME = "pytorch-examples"
DESCRIPTION = (
    "pytorch/examples fast_neural_style (conv1.conv2d.weight, in1.weight, res1..., deconv3)"
)

offers_norm = True
_MODULES = {
    "conv1": "conv1.conv",
    "conv2": "conv2.conv",
    "conv3": "conv3.conv",
    "deconv1": "up1.conv",
    "deconv2": "up2.conv",
    "deconv3": "head.conv",
}
_BLOCK = re.compile(
    r"res(\d+)\.(conv|in)([12])(?:\.conv2d)?\.(weight|bias|running_mean|running_var)"
)
_CONV = re.compile(r"(conv[123]|deconv[123])\.conv2d\.(weight|bias)")
_NORM = re.compile(r"in([1-5])\.(weight|bias|running_mean|running_var)")
KEYS = re.compile(
    rf"{_BLOCK.pattern}|{_CONV.pattern}|{_NORM.pattern}"
    r"|(in[1-5]|res\d+\.in[12])\.num_batches_tracked"
)


def matches(state: Tensors) -> bool:
    """Recognise the layout by its first convolution, first block and last convolution."""
    keys = ("conv1.conv2d.weight", "res1.conv1.conv2d.weight", "deconv3.conv2d.weight")
    # Kin of other arithmetic, which their norms' names show.
    if any(key in state for key in ("in1.scale", "in1_e.weight")):
        return False
    return all(key in state and state[key].ndim == 4 for key in keys)


def build(state: Tensors, norm: str | None = None) -> Loaded:
    """Return a :class:`JohnsonNet` whose widths are read from the convolutions.

    Args:
        state: the file's tensors.
        norm: the statistics of its norms, ``instance`` or ``running``; None for the file's own.
    """
    statistics, guesses = statistics_of(state, norm)
    state = used(state, statistics)
    if any(value.numel() == 0 for value in state.values()):
        raise ValueError("a tensor without values")
    widths = tuple(state[f"conv{i}.conv2d.weight"].shape[0] for i in (1, 2, 3))
    blocks = {int(match[1]) for key in state if (match := _BLOCK.fullmatch(key))}
    kind: Norm = "batch" if statistics == RUNNING else "instance"
    spec = JohnsonSpec((widths[0], widths[1], widths[2]), len(blocks), kind)
    # Meta tensors take no memory, so widths that the file does not back cost nothing.
    with torch.device("meta"):
        net = JohnsonNet(spec)
    renamed = {_new_key(key): value.float() for key, value in state.items()}
    if statistics == RUNNING:  # batch norms count, though nothing reads it
        counts = (f"{name}.num_batches_tracked" for name, _ in _batch_norms(net))
        renamed |= dict.fromkeys(counts, torch.tensor(0))
    net.load_state_dict(renamed, assign=True)
    return Loaded(net, guesses=guesses)


def names(state: Tensors) -> list[tuple[str, str]]:
    """Return the names of the convolutions in their order, each with that of the norm after it."""
    blocks = range(1, 1 + numbered(state, "res{}.conv1.conv2d.weight"))
    return [
        *((f"conv{i}.conv2d", f"in{i}") for i in (1, 2, 3)),
        *((f"res{i}.conv{j}.conv2d", f"res{i}.in{j}") for i in blocks for j in (1, 2)),
        *((f"deconv{i}.conv2d", f"in{3 + i}") for i in (1, 2)),
        ("deconv3.conv2d", ""),
    ]


def _batch_norms(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    return (pair for pair in net.named_modules() if isinstance(pair[1], nn.BatchNorm2d))


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
