"""Johnson's net under any names: known by the order and the shapes of its layers.

A state dictionary lists modules in the order in which they were made, which is that in which nets
of this kind run. The layers must be those of the skeleton: a convolution from 3 channels, two 3x3
ones, pairs of 3x3 ones that keep the channels, two 3x3 ones up, and a convolution to 3 channels; a
norm for each but the last. What shapes do not say is taken to be as in pytorch/examples, and said:
strides, paddings, the upsampling, and that values are RGB in 0..255.

This is the last resort. A family with arithmetic of its own has a layout of its own, which comes
first.
"""

from __future__ import annotations

from dataclasses import replace

from sttk.toolkit.checkpoints.layout import INPUT_AND_OUTPUT, Loaded, Tensors
from sttk.toolkit.checkpoints.skeletons import Names
from sttk.toolkit.checkpoints.skeletons import build as build_skeleton
from sttk.toolkit.core.convention import Guess
from sttk.toolkit.nets.skeleton import SkeletonSpec

NAME = "other-names"
DESCRIPTION = "Johnson's net under other names (by the order and shapes of its layers; 0..255 RGB)"

_WHY = "names that are no known repository's"
_CHOICES = "input= and output="
_PARTS = {
    "weight": "weight", "bias": "bias", "scale": "weight", "shift": "bias", "gamma": "weight",
    "beta": "bias", "running_mean": "", "running_var": "", "num_batches_tracked": "",
}  # fmt: skip
_DOWN, _UP = 3, 3


def matches(state: Tensors) -> bool:
    """Recognise the skeleton by its layers in their order."""
    return _layers(_plain(state)) is not None


def build(state: Tensors) -> Loaded:
    """Return a :class:`SkeletonNet`, and what was taken for granted."""
    plain = _plain(state)
    found = _layers(plain)
    if found is None:
        raise ValueError("its layers are not those of the skeleton")
    names, turned = found
    spec = SkeletonSpec(upsample="transposed" if turned else "nearest")
    loaded = build_skeleton(plain, names, spec)
    layers = f"reflected edges, {spec.upsample} upsampling, no ReLU after a block's sum, no tanh"
    guesses = (
        Guess(INPUT_AND_OUTPUT, "RGB in 0..255", _WHY, _CHOICES),
        Guess("layers", layers, _WHY, ""),
    )
    return replace(loaded, guesses=guesses)


def _plain(state: Tensors) -> Tensors:
    """Return the tensors with the names that torch gives to the parts of its own modules."""
    plain = {}
    for key, value in state.items():
        name, dot, part = key.rpartition(".")
        plain[f"{name}{dot}{_PARTS.get(part) or part}"] = value
    return plain


def _layers(state: Tensors) -> tuple[Names, bool] | None:
    """Return the convolutions with their norms, and whether the ups are transposed."""
    modules = list(dict.fromkeys(key.rpartition(".")[0] for key in state))
    if not all(key.rpartition(".")[2] in _PARTS for key in state):
        return None
    convs = [m for m in modules if (w := state.get(f"{m}.weight")) is not None and w.ndim == 4]
    norms = [m for m in modules if m not in convs]
    if len(convs) < _DOWN + 2 + _UP or len(convs) % 2 or len(norms) != len(convs) - 1:
        return None
    weights = [state[f"{m}.weight"] for m in convs]
    kernels = [tuple(weight.shape[2:]) for weight in weights]
    inner = all(kernel == (3, 3) for kernel in kernels[1:-1])
    if not inner or not all(_is_odd(kernel) for kernel in (kernels[0], kernels[-1])):
        return None
    for turned in (False, True):
        ends = [
            _ends(w.shape, turned and -3 <= i - len(weights) < -1) for i, w in enumerate(weights)
        ]
        if _is_skeleton(ends) and _fit(state, norms, ends):
            return [*zip(convs, [*norms, ""], strict=True)], turned
    return None


def _ends(shape: tuple[int, ...], turned: bool) -> tuple[int, int]:
    """Return the channels in and out of a convolution."""
    return (shape[0], shape[1]) if turned else (shape[1], shape[0])


def _is_skeleton(ends: list[tuple[int, int]]) -> bool:
    """Return whether each takes what the one before gives, from a picture to a picture."""
    chained = all(ends[i][1] == ends[i + 1][0] for i in range(len(ends) - 1))
    blocks = ends[_DOWN:-_UP]
    return (
        chained
        and ends[0][0] == 3 == ends[-1][1]
        and all(taken == given for taken, given in blocks)
    )


def _fit(state: Tensors, norms: list[str], ends: list[tuple[int, int]]) -> bool:
    """Return whether each norm has as many channels as the convolution before it."""
    for norm, (_, channels) in zip(norms, ends, strict=False):
        sizes = {v.numel() for part in ("weight", "bias", "running_mean")
                 if (v := state.get(f"{norm}.{part}")) is not None}  # fmt: skip
        if sizes != {channels}:
            return False
    return True


def _is_odd(kernel: tuple[int, ...]) -> bool:
    return len(kernel) == 2 and kernel[0] == kernel[1] and kernel[0] % 2 == 1
