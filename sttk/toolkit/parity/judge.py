"""The ladder of verdicts: a model's error, compared with its reference's own uncertainty.

A fixed tolerance is wrong, because float32's own error runs from 130 dB on a photograph to 60 dB on
a ramp, and a style net turns half a grey level of noise into 13 dB on one picture and 79 dB on
another. So each input has its own limits:

exact
    within the error of float32 arithmetic on this input (:attr:`ReferenceOutput.floor`).
faithful
    within the net's own response to half a grey level of noise in this input
    (:attr:`ReferenceOutput.noise`).
same style
    perhaps another picture, but with the reference's content and style losses
    (:mod:`sttk.toolkit.parity.style`).
different
    none of these.

Three verdicts stand outside the ladder: *ill-conditioned* (the reference's own answer is too
uncertain for a verdict), *finite* (a constant picture, which is only checked for NaN) and
*not run*.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sttk.toolkit.core.rungs import DIFFERENT, EXACT, FAITHFUL, SAME_STYLE
from sttk.toolkit.parity.metrics import Difference, Regions
from sttk.toolkit.parity.reference import ReferenceOutput

ILL_CONDITIONED, FINITE, NOT_RUN = "ill-conditioned", "finite", "not run"

# The sign of a rounding error is random, and so is the pixel with the largest one. At 512 px
# OpenVINO is 2.6 times over the floor on a picture of low contrast, whose terms are so similar that
# their roundings do not cancel; all other inputs and runtimes stay within 1.4 times.
_SCATTER_RMS, _SCATTER_LARGEST = 4.0, 8.0
# Without norms, float32's own error is close to zero. No limit is stricter than this: a thousandth
# of a grey level, and a fiftieth in single pixels.
_SMALLEST_EXACT = (1e-3, 0.02)
# The error of rounding the output to 8 bits: uniform within half a level, so 1 / sqrt(12); and two
# levels in single pixels, which a photograph's own noise hides.
_SMALLEST_FAITHFUL = (12**-0.5, 2.0)
# Where float32 itself is off by a quarter of a grey level (60 dB), rounding cannot be told from a
# fault; where half a level of noise moves the picture by 15 dB, nearly any picture would pass.
_LOWEST_FLOOR, _LOWEST_NOISE = 60.0, 15.0


@dataclass(frozen=True)
class Limit:
    """The largest RMS error and the largest single error that are allowed, in units of 0..255."""

    rms: float
    largest: float

    def allows(self, found: Difference) -> bool:
        """Return whether an error is within both limits; NaN is not."""
        return found.rms <= self.rms and found.largest <= self.largest


def promise_of_precision(precision: str) -> str:
    """Return the rung that a bare model of this precision promises against the float net."""
    if precision in ("int8", "fp8"):
        return SAME_STYLE
    return EXACT if precision == "fp32" else FAITHFUL


def is_sure(found: Regions) -> bool:
    """Return whether the error is so small that the floor need not be computed."""
    return all(Limit(*_SMALLEST_EXACT).allows(region) for region in found)


def is_conditioned(answer: ReferenceOutput, promise: str) -> bool:
    """Return whether the reference's answer is certain enough for a verdict."""
    if answer.unquantized.floor.whole.psnr < _LOWEST_FLOOR:
        return False
    return promise == EXACT or answer.noise.whole.psnr >= _LOWEST_NOISE


def rung_of(found: Regions, answer: ReferenceOutput) -> str:
    """Return ``exact``, ``faithful`` or ``different``, from the figures alone.

    The whole picture, its border and its inside each have limits of their own, from their own
    floor, but never stricter than those of the whole picture.
    """
    if _within(found, answer.floor, (_SCATTER_RMS, _SCATTER_LARGEST), _SMALLEST_EXACT):
        return EXACT
    return FAITHFUL if _within(found, answer.noise, (1, 1), _SMALLEST_FAITHFUL) else DIFFERENT


def _within(
    found: Regions, floor: Regions, factors: tuple[float, float], smallest: tuple[float, float]
) -> bool:
    limits = _limits(floor, factors, smallest)
    return all(limit.allows(region) for limit, region in zip(limits, found, strict=True))


def _limits(
    floor: Regions, factors: tuple[float, float], smallest: tuple[float, float]
) -> Iterable[Limit]:
    for region in floor:
        rms = max(region.rms, floor.whole.rms) * factors[0]
        largest = max(region.largest, floor.whole.largest) * factors[1]
        yield Limit(max(rms, smallest[0]), max(largest, smallest[1]))
