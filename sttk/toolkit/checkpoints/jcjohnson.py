"""jcjohnson/fast-neural-style: the nets of the paper's own repository, ``.t7`` files of Torch7.

A file is a table with ``model``, a tree of modules below an ``nn.Sequential``, and ``opt``, the
options of its training (train.lua, fast_neural_style/models.lua). Both kinds of its nets are read:
batch norm, which uses its running statistics (``model:evaluate()``), and instance norm, which never
has any; and all of its paddings: zeros, reflection, repetition, and ``reflect-start``, where the
picture is padded by 40 and residual blocks shave their input.

The values (fast_neural_style/preprocess.lua) are BGR in 0..255 less VGG's mean, in and out; or,
with ``preprocessing`` of ``resnet``, ImageNet's. They are moved into the weights, but for a mean
before a convolution that pads with zeros, which is subtracted from the picture. The median filter
that fast_neural_style.lua runs over its pictures is not part of the net.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from sttk.toolkit.checkpoints.ends import CAFFE, IMAGENET, Triple, Values, entering, leaving
from sttk.toolkit.checkpoints.layout import INPUT_AND_OUTPUT, Loaded
from sttk.toolkit.checkpoints.probe import contract_of
from sttk.toolkit.checkpoints.torch7_modules import Builder, set_weights
from sttk.toolkit.core.convention import Guess
from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.io import torch7
from sttk.toolkit.io.files import read_bounded
from sttk.toolkit.io.text import printable
from sttk.toolkit.io.torch7 import Instance
from sttk.toolkit.nets.tree import PerChannel, Times

NAME = "jcjohnson"
DESCRIPTION = "jcjohnson/fast-neural-style (X.t7 of Torch7: batch or instance norm, any padding)"

_MOST_BYTES = 1 << 28  # the released ones have up to 2^25
_GUESS = Guess(INPUT_AND_OUTPUT, "VGG's for Caffe", "the file names no preprocessing", "")
_PREPROCESSING = {"vgg": CAFFE, "resnet": IMAGENET}
_ELEMENTWISE = (nn.Tanh, Times, nn.Identity)
_PADS = (nn.ReflectionPad2d, nn.ReplicationPad2d)


def is_file(path: Path) -> bool:
    """Return whether a file is Torch7's, by its name or its first bytes."""
    if path.suffix.lower() == ".t7":
        return True
    with path.open("rb") as stream:
        return torch7.is_torch7(stream.read(8))


def read(path: Path) -> Loaded:
    """Read the net of a ``.t7`` file.

    Raises:
        CheckpointError: the file is not Torch7's, or holds no net that torch can build. No code in
            it is run.
    """
    try:
        content = torch7.read(read_bounded(path, _MOST_BYTES))
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{path}: not a readable Torch7 file: {_line(error)}") from error
    table = content if isinstance(content, dict) else {"model": content}
    if not isinstance(table.get("model"), Instance):
        raise CheckpointError(f"{path}: a Torch7 file without a model")
    try:
        return _loaded(table["model"], table.get("opt"))
    except (RuntimeError, ValueError, KeyError, IndexError, OverflowError) as error:
        raise CheckpointError(f"{path}: a broken {NAME} net: {_line(error)}") from error


def _line(error: Exception) -> str:
    return printable(" ".join(str(error).split()))[:200]


def _loaded(model: Instance, options: Any) -> Loaded:
    said = options.get("preprocessing") if isinstance(options, dict) else None
    values = _PREPROCESSING.get(said or "vgg")
    if values is None:
        raise ValueError(f"preprocessing {said}, which is neither vgg nor resnet")
    builder = Builder()
    layers = [layer for layer in _flat(builder.module(model)) if not isinstance(layer, nn.Identity)]
    net = nn.Sequential(*_in_bytes(layers, values)).eval()
    guesses = () if said else (_GUESS,)
    return Loaded(net, contract_of(net), guesses=guesses, turned=True)


def _flat(module: nn.Module) -> list[nn.Module]:
    """Return the steps of a tree of Sequentials; a block's branches stay below it."""
    if not isinstance(module, nn.Sequential):
        return [module]
    return [step for child in module for step in _flat(child)]


def _in_bytes(layers: list[nn.Module], values: Values) -> list[nn.Module]:
    """Return the layers with their author's values turned into RGB in 0..255 at both ends."""
    places = [place for place, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]
    if len(places) < 2:
        raise ValueError("it has not two convolutions")
    before, after = layers[: places[0]], layers[places[-1] + 1 :]
    first, last = cast("nn.Conv2d", layers[places[0]]), cast("nn.Conv2d", layers[places[-1]])
    plain = all(isinstance(layer, _PADS) for layer in before) and all(
        isinstance(layer, _ELEMENTWISE) for layer in after
    )
    if not plain or first.in_channels != 3 or last.out_channels != 3:
        raise ValueError("its first and last layers are not convolutions of a picture")
    pads = any(cast("tuple[int, int]", first.padding))
    rgb = _turned(values.mean, values.bgr), _turned(values.std, values.bgr)
    inside = Values(std=values.std, bgr=values.bgr) if pads else values
    set_weights(first, *entering(first.weight, _bias(first), inside))
    set_weights(last, *leaving(last.weight, _bias(last), Values(bgr=values.bgr)))
    less = [PerChannel((1.0,) * 3, [-m for m in rgb[0]])] if pads else []
    return [*less, *layers, PerChannel(rgb[1], rgb[0])]


def _turned(values: Triple, bgr: bool) -> Triple:
    return values[::-1] if bgr else values


def _bias(convolution: nn.Conv2d) -> Tensor:
    bias = convolution.bias
    return torch.zeros(convolution.out_channels) if bias is None else bias
