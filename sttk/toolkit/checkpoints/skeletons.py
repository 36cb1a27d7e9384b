"""What layouts of Johnson's skeleton share: from named layers in their order to the net.

This is no layout. A layout names its convolutions, each with the norm after it, and says what its
author feeds the net.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from sttk.toolkit.checkpoints.ends import PLAIN, Values, entering, leaving
from sttk.toolkit.checkpoints.layout import Loaded, Tensors
from sttk.toolkit.checkpoints.running import Statistics, folded
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.nets.skeleton import SkeletonNet, SkeletonSpec

Names = Sequence[tuple[str, str]]  # a convolution and the norm after it; "" for none

_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
# Three convolutions down, two up and the last; each block adds two.
_WITHOUT_BLOCKS = 6


def build(
    state: Tensors, names: Names, spec: SkeletonSpec | None = None, values: Values = PLAIN
) -> Loaded:
    """Return a :class:`SkeletonNet` with the weights of these layers.

    Args:
        state: the tensors. Norms without a weight have one of 1, and a bias of 0.
        names: the convolutions in their order, each with its norm.
        spec: what the shapes do not say.
        values: what the author feeds the net, and takes from it.

    Raises:
        KeyError: a tensor is missing, or is none of the net's.
        RuntimeError, ValueError: the shapes do not fit each other.
    """
    _check(state, names)
    spec = _spec(state, names, spec or SkeletonSpec())
    # Meta tensors take no memory, so widths that the file does not back cost nothing.
    with torch.device("meta"):
        net = SkeletonNet(spec)
    weights: dict[str, Tensor] = {}
    for theirs, ours in zip(names, net.layers(spec.blocks), strict=True):
        weights |= _layer(state, theirs, ours, spec)
    net.load_state_dict(weights, assign=True)  # before the ends are moved: it checks the shapes
    # After a tanh, the net itself makes 0..255 of it.
    _at_the_ends(weights, values, Values(bgr=values.bgr) if spec.tanh else values)
    net.load_state_dict(weights, assign=True)
    # At quarter size, a pad that reflects 1 pixel needs 2.
    contract = Contract(size_multiple=4, smallest_side=max(5, max(spec.kernels) // 2 + 1))
    return Loaded(net, contract, turned=values != PLAIN or bool(spec.tanh))


def numbered(state: Tensors, key: str, first: int = 1) -> int:
    """Return how many blocks there are: ``key`` has a ``{}`` for their numbers, from ``first``."""
    count = 0
    while key.format(first + count) in state:
        count += 1
    return count


def _check(state: Tensors, names: Names) -> None:
    """Refuse missing and foreign keys, and tensors without values."""
    known = {name for pair in names for name in pair}
    for key, value in state.items():
        if key.rpartition(".")[0] not in known:
            raise KeyError(f"unexpected key {key}")
        if value.numel() == 0:
            raise ValueError(f"{key} is a tensor without values")
    for conv, _ in names:
        if f"{conv}.weight" not in state:
            raise KeyError(f"missing key {conv}.weight")
        if state[f"{conv}.weight"].ndim != 4:
            raise ValueError(f"{conv}.weight is no convolution's")
    # Some nets have no biases, or norms that only normalise: none of them, but not a few.
    _all_or_none(state, [f"{conv}.bias" for conv, norm in names if norm])
    for part in ("weight", "bias"):
        _all_or_none(state, [f"{norm}.{part}" for _, norm in names if norm])


def _all_or_none(state: Tensors, keys: list[str]) -> None:
    missing = [key for key in keys if key not in state]
    if missing and len(missing) < len(keys):
        raise KeyError(f"missing key {missing[0]}")


def _spec(state: Tensors, names: Names, spec: SkeletonSpec) -> SkeletonSpec:
    blocks, odd = divmod(len(names) - _WITHOUT_BLOCKS, 2)
    if odd or blocks < 0:
        raise ValueError(f"{len(names)} convolutions; a block has two, the rest of the net six")
    weights = [state[f"{conv}.weight"] for conv, _ in names]
    ups = 1 if spec.upsample == "transposed" else 0
    full, half, quarter = (weight.shape[0] for weight in weights[:3])
    tracked = any(f"{norm}.{_BUFFERS[-1]}" in state for _, norm in names)
    return replace(
        spec,
        widths=(full, half, quarter),
        up_widths=(weights[-3].shape[ups], weights[-2].shape[ups]),
        blocks=blocks,
        kernels=(weights[0].shape[-1], weights[-1].shape[-1]),
        # A norm that counts batches tracks its statistics, and uses them once it is trained;
        # instance norms from before torch 0.4.1 have statistics that they never used.
        norm="running" if tracked or spec.norm == "running" else "instance",
    )


def _layer(
    state: Tensors, names: tuple[str, str], ours: tuple[str, str], spec: SkeletonSpec
) -> dict[str, Tensor]:
    """Return a convolution and its norm under our names; what a file leaves out does nothing."""
    (conv, norm), (our_conv, our_norm) = names, ours
    weight = state[f"{conv}.weight"].float()
    turned = spec.upsample == "transposed" and our_conv.startswith("up")
    channels = weight.shape[1 if turned else 0]
    bias = state.get(f"{conv}.bias", torch.zeros(channels)).float()
    scale = state.get(f"{norm}.weight", torch.ones(channels)).float()
    shift = state.get(f"{norm}.bias", torch.zeros(channels)).float()
    if norm and spec.norm == "running":
        mean, var = (state[f"{norm}.{part}"].float() for part in _BUFFERS[:2])
        kept = Statistics(mean, var, scale, shift, spec.epsilon)
        weight, bias = folded(weight, bias, kept, transposed=turned)
    layer = {f"{our_conv}.weight": weight, f"{our_conv}.bias": bias}
    if norm and spec.norm == "instance":
        layer |= {f"{our_norm}.weight": scale, f"{our_norm}.bias": shift}
    return layer


def _at_the_ends(weights: dict[str, Tensor], taken: Values, given: Values) -> None:
    """Move the author's ranges and channel order into the first and the last convolution."""
    for name, move, values in (("conv1.conv", entering, taken), ("head.conv", leaving, given)):
        keys = f"{name}.weight", f"{name}.bias"
        weights[keys[0]], weights[keys[1]] = move(weights[keys[0]], weights[keys[1]], values)
