"""CycleGAN and pix2pix: ResNet generators of junyanz/pytorch-CycleGAN-and-pix2pix.

The keys are ``model.1.weight`` (7x7), ``model.4.weight``, ``model.10.conv_block.1.weight``, and so
on for 6 or 9 blocks (``ResnetGenerator`` of models/networks.py). The strided convolutions pad with
zeros, the others by reflection; the ups are transposed. The values are -1..1, in and out, after a
tanh. CycleGAN's instance norms have no weights; files from 2018 hold statistics of theirs, which
the repository drops. Batch norms (pix2pix) use their running statistics, as with the author's
``--eval``. Of U-Nets the keys are others.
"""

from __future__ import annotations

from dataclasses import replace

from sttk.toolkit.checkpoints.ends import SIGNED
from sttk.toolkit.checkpoints.layout import Loaded, Tensors
from sttk.toolkit.checkpoints.skeletons import build as build_skeleton
from sttk.toolkit.checkpoints.skeletons import numbered
from sttk.toolkit.core.convention import Guess
from sttk.toolkit.nets.skeleton import SkeletonSpec

NAME = "junyanz"
DESCRIPTION = "CycleGAN and pix2pix ResNet generators (model.1.weight, model.10.conv_block.1...)"

_GUESS = Guess("norm", "running", "batch norms, as with the author's --eval", "")
_FIRST = 10  # the place of the first block
_KEYS = ("model.1.weight", "model.4.weight", f"model.{_FIRST}.conv_block.1.weight")
_BUFFERS = (".running_mean", ".running_var", ".num_batches_tracked")
_SPEC = SkeletonSpec(zero_down=True, upsample="transposed", tanh=127.5)


def matches(state: Tensors) -> bool:
    """Recognise the layout by its first two convolutions and that of its first block."""
    return all(key in state and state[key].ndim == 4 for key in _KEYS)


def build(state: Tensors) -> Loaded:
    """Return a :class:`SkeletonNet` in 0..255."""
    names = _names(state)
    if f"{names[0][1]}.weight" in state:
        return replace(build_skeleton(state, names, _SPEC, SIGNED), guesses=(_GUESS,))
    used = {key: value for key, value in state.items() if not key.endswith(_BUFFERS)}
    return build_skeleton(used, names, _SPEC, SIGNED)


def _names(state: Tensors) -> list[tuple[str, str]]:
    blocks = numbered(state, "model.{}.conv_block.1.weight", first=_FIRST)
    # With a dropout between them, the second convolution is one place further.
    at_six = state.get(f"model.{_FIRST}.conv_block.6.weight")
    places = (1, 6 if at_six is not None and at_six.ndim == 4 else 5)
    inner = [(f"model.{_FIRST + i}.conv_block", place) for i in range(blocks) for place in places]
    ups = _FIRST + blocks
    return [
        *((f"model.{i}", f"model.{i + 1}") for i in (1, 4, 7)),
        *((f"{name}.{place}", f"{name}.{place + 1}") for name, place in inner),
        *((f"model.{i}", f"model.{i + 1}") for i in (ups, ups + 3)),
        (f"model.{ups + 7}", ""),
    ]
