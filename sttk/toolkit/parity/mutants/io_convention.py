"""Faults in a model's I/O convention: channel order, value range, clamping and layout."""

from __future__ import annotations

import torch
from torch import Tensor

from sttk.toolkit.parity.mutants.calls import Call, replaced
from sttk.toolkit.parity.mutants.mutant import Mutant, Run

_MEAN = (123.68, 116.779, 103.939)  # the mean of ImageNet, RGB, which VGG subtracts
_VIDEO_RANGE = (16, 235)  # the video range of ITU-R BT.601


def _mean(like: Tensor) -> Tensor:
    return torch.tensor(_MEAN, dtype=like.dtype).view(1, 3, 1, 1)


def _bgr(image: Tensor) -> Tensor:
    """Return RGB as BGR, by slices, which every format has."""
    return torch.cat([image[:, 2:3], image[:, 1:2], image[:, 0:1]], 1)


def _bgr_input(run: Run, image: Tensor) -> Tensor:
    return run(_bgr(image))


def _bgr_output(run: Run, image: Tensor) -> Tensor:
    return _bgr(run(image))


def _mean_subtracted(run: Run, image: Tensor) -> Tensor:
    return run(image - _mean(image))


def _mean_missing(run: Run, image: Tensor) -> Tensor:
    return run(image) - _mean(image)


def _unit_input(run: Run, image: Tensor) -> Tensor:
    return run(image / 255)


def _unit_output(run: Run, image: Tensor) -> Tensor:
    return run(image) / 255


def _identity(call: Call) -> Tensor:
    same: Tensor = call.args[0]
    return same


def _video_range(run: Run, image: Tensor) -> Tensor:
    return run(image).clamp(*_VIDEO_RANGE)


def _truncated(run: Run, image: Tensor) -> Tensor:
    return run(image).floor()


def _shifted(run: Run, image: Tensor) -> Tensor:
    y = run(image)
    return torch.cat([y[..., -1:], y[..., :-1]], 3)


def _transposed(run: Run, image: Tensor) -> Tensor:
    return run(image.mT).mT


IO_CONVENTION = (
    Mutant("BGR for RGB in", None, _bgr_input),
    Mutant("BGR for RGB out", None, _bgr_output),
    Mutant("a mean taken off the picture", None, _mean_subtracted),
    Mutant("a mean not put back", None, _mean_missing),
    Mutant("0..1 for 0..255 in", None, _unit_input),
    Mutant("0..1 for 0..255 out", None, _unit_output),
    Mutant("clamp missing", None, replaced({Tensor.clamp, torch.clamp}, _identity)),
    Mutant("clamp to video range", None, _video_range),
    Mutant("fractions cut off", None, _truncated),
    Mutant("shifted by one pixel", None, _shifted),
    Mutant("height and width transposed", None, _transposed),
)
