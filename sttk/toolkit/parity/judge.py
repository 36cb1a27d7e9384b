"""The ladder of verdicts: how wrong a model is, against what its reference itself is sure of.

A fixed tolerance is wrong, because float32's own error runs from 130 dB on a photograph to 60 dB on
a ramp, and a style net turns half a grey level of noise into 13 dB on one picture and 79 dB on
another. So each input has limits of its own:

exact
    within what float32 arithmetic costs on this input (:attr:`ReferenceOutput.floor`).
faithful
    within the net's own answer to half a grey level of noise in this input
    (:attr:`ReferenceOutput.noise`).
same style
    another picture perhaps, but its content and style losses are the reference's
    (:mod:`sttk.toolkit.parity.style`).
different
    none of these.

Beside the ladder stand *ill-conditioned* (the reference is not sure of its own answer, so nothing
can be said), *finite* (a constant picture, which shows NaN and nothing else) and *not run*.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sttk.toolkit.core.rungs import DIFFERENT, EXACT, FAITHFUL, SAME_STYLE
from sttk.toolkit.parity.metrics import Difference, Regions
from sttk.toolkit.parity.reference import ReferenceOutput

ILL_CONDITIONED, FINITE, NOT_RUN = "ill-conditioned", "finite", "not run"

# The sign of every rounding is luck, and so is which pixel it hits worst. At 512 px OpenVINO stands
# 2.6 times over the floor on a picture of low contrast, whose terms are so alike that their
# roundings do not cancel; all other inputs and runtimes keep to 1.4 times.
_LUCK_RMS, _LUCK_LARGEST = 4.0, 8.0
# A net without norms costs float32 next to nothing, and no runtime is held to less than this: a
# thousandth of a grey level, and a fiftieth in single pixels.
_LEAST_EXACT = (1e-3, 0.02)
# What rounding the output to 8 bits costs anyway: uniform within half a level, so 1 / sqrt(12); and
# two levels in single pixels, which a photograph's own noise hides.
_LEAST_FAITHFUL = (12**-0.5, 2.0)
# Where float32 itself is off by a quarter of a grey level (60 dB), no arithmetic can be told from a
# fault; where half a level of noise moves the picture by 15 dB, nearly any picture would pass.
_LEAST_FLOOR, _LEAST_NOISE = 60.0, 15.0


@dataclass(frozen=True)
class Limit:
    """The largest root mean square and the largest single error that are allowed, of 0..255."""

    rms: float
    largest: float

    def allows(self, found: Difference) -> bool:
        """NaN is not allowed."""
        return found.rms <= self.rms and found.largest <= self.largest


def promise_of_precision(precision: str) -> str:
    """Return the rung that a bare model promises, whose reference is the float net."""
    if precision in ("int8", "fp8"):
        return SAME_STYLE
    return EXACT if precision == "fp32" else FAITHFUL


def is_sure(found: Regions) -> bool:
    """Whether the error is so small that no floor need be asked for."""
    return all(Limit(*_LEAST_EXACT).allows(region) for region in found)


def is_conditioned(answer: ReferenceOutput, promise: str) -> bool:
    """Whether the reference is sure enough of its own answer for anything to be said."""
    if answer.unquantized.floor.whole.psnr < _LEAST_FLOOR:
        return False
    return promise == EXACT or answer.noise.whole.psnr >= _LEAST_NOISE


def rung_of(found: Regions, answer: ReferenceOutput) -> str:
    """``exact``, ``faithful`` or ``different``, by arithmetic alone.

    Whole, border and inside are held to the limits apart: those of a region are its own floor's,
    and never less than the whole picture's.
    """
    if _within(found, answer.floor, (_LUCK_RMS, _LUCK_LARGEST), _LEAST_EXACT):
        return EXACT
    return FAITHFUL if _within(found, answer.noise, (1, 1), _LEAST_FAITHFUL) else DIFFERENT


def _within(
    found: Regions, floor: Regions, times: tuple[float, float], least: tuple[float, float]
) -> bool:
    limits = _limits(floor, times, least)
    return all(limit.allows(region) for limit, region in zip(limits, found, strict=True))


def _limits(
    floor: Regions, times: tuple[float, float], least: tuple[float, float]
) -> Iterable[Limit]:
    for region in floor:
        rms = max(region.rms, floor.whole.rms) * times[0]
        largest = max(region.largest, floor.whole.largest) * times[1]
        yield Limit(max(rms, least[0]), max(largest, least[1]))
