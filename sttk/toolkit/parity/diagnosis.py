"""Why a model differs, where that is its convention: another range, another order, a mean.

A model that differs is run again on one picture as each of the conventions that people use. One of
them is named only where it makes the model clearly right: faithful, or ten times nearer.

Known limit: an instance norm cancels the scale of its input, so the range of a net's input may make
no difference that a picture shows. The simplest explanation is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from sttk.toolkit.core.convention import BYTES, NAMED, Convention, End
from sttk.toolkit.core.errors import RunError
from sttk.toolkit.core.rungs import DIFFERENT
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.parity import judge
from sttk.toolkit.parity.metrics import regions
from sttk.toolkit.parity.reference import ReferenceOutput
from sttk.toolkit.runtimes.base import Runner
from sttk.toolkit.runtimes.convention import given, taken

_CLEARLY = 10.0
_AS_GOOD = 1.5
_RGB_MEAN = (123.68, 116.779, 103.939)
_MEAN = "mean"
# What a model that differs may take or give; the last two undo what is in it once too often.
_ENDS = (
    BYTES,
    *(NAMED[text] for text in ("0..1", "-1..1", "imagenet")),
    End(_MEAN, _RGB_MEAN, (1.0, 1.0, 1.0)),
    End("no mean", (-_RGB_MEAN[0], -_RGB_MEAN[1], -_RGB_MEAN[2]), (1.0, 1.0, 1.0)),
    End("x255", (0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
)
_SAYS = {
    ("input", _MEAN): "a mean that is to be subtracted first",
    ("output", _MEAN): "a mean not put back",
    ("input", "no mean"): "a mean subtracted that should not be",
    ("output", "no mean"): "a mean put back that was not subtracted",
    ("input", "x255"): "0..255 against 0..1 at its input",
    ("output", "x255"): "0..255 against 0..1 at its output",
}


@dataclass(frozen=True)
class _Guess:
    convention: Convention
    rms: float
    right: bool

    @property
    def parts(self) -> list[str]:
        """What it says is different, in words."""
        return [*_range_parts(self.convention), *_order_parts(self.convention)]


def diagnosis(
    runner: Runner, batch: Floats, answer: ReferenceOutput, limits: tuple[float, float]
) -> str:
    """Return what a model's error looks like, such as ``looks like BGR for RGB``, or "".

    Args:
        runner: the model, whose output is not clamped.
        batch: the picture, (B, 3, H, W) in 0..255.
        answer: the reference's output for it.
        limits: the lowest and highest value of the reference's output.
    """
    guesses = list(_guesses(runner, batch, answer, limits))
    plain = next((each for each in guesses if each.convention.is_plain), None)
    if plain is None or plain.right:
        return ""
    clear = [each for each in guesses if each.right or each.rms * _CLEARLY < plain.rms]
    if not clear:
        return ""
    best = min(each.rms for each in clear)
    near = [each for each in clear if each.rms <= _AS_GOOD * best + 1e-3]
    found = min(near, key=lambda each: (len(each.parts), each.rms))
    return f"it looks like {', and '.join(found.parts)} ({_hint(found.convention)})"


def _guesses(
    runner: Runner, batch: Floats, answer: ReferenceOutput, limits: tuple[float, float]
) -> Iterator[_Guess]:
    ends = [_in_order(end, bgr=bgr) for bgr, end in product((False, True), _ENDS)]
    for entry in ends:
        try:
            output = runner.run(taken(batch, Convention(entry, BYTES)))
        except RunError:
            continue
        if output.shape != answer.exact.shape or not np.isfinite(output).all():
            continue
        for leave in ends:
            both = Convention(entry, leave)
            found = regions(given(output, both).clip(*limits), answer.exact)
            right = judge.is_sure(found) or judge.rung_of(found, answer) != DIFFERENT
            yield _Guess(both, found.whole.rms, right)


def _in_order(end: End, *, bgr: bool) -> End:
    """Return the end with its channels, means and stds in an order."""
    if not bgr:
        return end
    mean, std = end.mean, end.std
    return replace(end, mean=(mean[2], mean[1], mean[0]), std=(std[2], std[1], std[0]), bgr=True)


def _range_parts(convention: Convention) -> Iterator[str]:
    entry, leave = convention.input.text, convention.output.text
    if entry == leave and entry in NAMED:
        if entry != BYTES.text:
            yield _named(entry)
        return
    for side, text in (("input", entry), ("output", leave)):
        if text != BYTES.text:
            yield _SAYS.get((side, text)) or f"{_named(text)} at its {side}"


def _named(text: str) -> str:
    return f"{'values of ImageNet' if text == 'imagenet' else text} against 0..255"


def _order_parts(convention: Convention) -> Iterator[str]:
    entry, leave = convention.input.bgr, convention.output.bgr
    if entry and leave:
        yield "BGR for RGB"
    elif entry or leave:
        yield f"BGR for RGB at its {'input' if entry else 'output'}"


def _hint(convention: Convention) -> str:
    """Return how to say it, as far as choices can."""
    ends = (("input", convention.input), ("output", convention.output))
    if any(end.text in ("no mean", "x255") for _, end in ends):
        return "mend the model"
    if bool(convention.input.bgr) != bool(convention.output.bgr):
        return "one end only: mend the model"
    said = [f"{side}={_choice(end)}" for side, end in ends if end.text != BYTES.text]
    if convention.input.bgr:
        said.append("channels=bgr")
    return f"judge it with #{','.join(said)} behind its name"


def _choice(end: End) -> str:
    if end.text != _MEAN:
        return end.text
    return f"0..255,mean={','.join(f'{value:g}' for value in end.mean)}"
