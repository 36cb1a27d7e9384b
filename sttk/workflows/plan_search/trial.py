"""A plan's quality on all regimes of input: PSNR against the float net in float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.core.rungs import FAITHFUL
from sttk.toolkit.core.shapes import Shapes, Size
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.imaging.regimes import CONSTANT, NAMES, Regimes, Sample
from sttk.toolkit.parity.judge import is_conditioned
from sttk.toolkit.parity.metrics import difference
from sttk.toolkit.parity.reference import ReferenceOutput, References
from sttk.toolkit.precision.half import RoundedHalf


@dataclass(frozen=True)
class Score:
    """The PSNR in dB of one candidate, by input; minus infinity for NaN."""

    decibels: tuple[tuple[str, float], ...]

    @property
    def worst(self) -> float:
        """The PSNR in dB on the worst input, which a floor is compared with."""
        return min(value for _, value in self.decibels)

    @property
    def where(self) -> str:
        """The name of the worst input."""
        return min(self.decibels, key=lambda entry: entry[1])[0]


@dataclass(frozen=True)
class Inputs:
    """Inputs with the reference's outputs.

    Attributes:
        asked: the inputs on which plans are tried.
        left_out: the names of the inputs on which the reference is ill-conditioned.
    """

    asked: tuple[tuple[Sample, ReferenceOutput], ...]
    left_out: tuple[str, ...]

    def score(self, run: Callable[[Floats], Floats]) -> Score:
        """Score a function (1, 3, H, W) -> (1, 3, H', W'), in 0..255, on all inputs."""
        return Score(tuple((sample.name, _psnr(run(sample.batch), answer))
                           for sample, answer in self.asked))  # fmt: skip


def inputs_for(net: StyleNet, files: Sequence[Path], size: Size) -> Inputs:
    """Make the inputs of one size from every regime on which precision can be judged.

    Left out are the constant picture, and those that float32 or half a grey level of noise moves
    too far.

    Raises:
        UsageError: every input is ill-conditioned.
    """
    names = tuple(name for name in NAMES if name != CONSTANT)
    references = References(net)
    asked, left_out = [], []
    for sample in Regimes(files, Shapes.fixed(*size), names=names):
        answer = references.of(sample.batch)
        if is_conditioned(answer, FAITHFUL):
            asked.append((sample, answer))
        else:
            left_out.append(sample.name)
    if not asked:
        raise UsageError(f"on every input the net is too ill-conditioned: {', '.join(left_out)}")
    return Inputs(tuple(asked), tuple(left_out))


def emulated(net: nn.Module) -> Callable[[Floats], Floats]:
    """Return a function that runs a net in torch, with float16 emulated by :class:`RoundedHalf`."""

    def run(batch: Floats) -> Floats:
        with RoundedHalf(), torch.inference_mode():
            output: Floats = net(torch.from_numpy(batch)).numpy()
        return output

    return run


def each(inputs: Inputs) -> Iterator[tuple[str, Inputs]]:
    """Yield the inputs one by one, with their names."""
    for entry in inputs.asked:
        yield entry[0].name, Inputs((entry,), ())


def _psnr(output: Floats, answer: ReferenceOutput) -> float:
    if output.shape != answer.exact.shape or not np.isfinite(output).all():
        return -math.inf
    return difference(output, answer.exact).psnr
