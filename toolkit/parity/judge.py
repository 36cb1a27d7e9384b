"""Whether a difference is one of arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.parity.metrics import Difference


@dataclass(frozen=True)
class Limits:
    """What a precision may cost on a photograph: errors of 0..255, PSNR in dB.

    NaN passes no limit.
    """

    largest: float
    psnr: float

    def allow(self, found: Difference) -> bool:
        """Whether ``found`` is within the limits."""
        return found.largest <= self.largest and found.psnr >= self.psnr


# fp32 differs by the order of sums alone: measured at most 0.01 of 255 on photographs. A fortieth
# of a grey level leaves the 8-bit picture the same. fp16 has 11 bits: every net at hand gives 60 dB
# or more, whose largest error is a few grey levels in single pixels where a ReLU or norm is steep.
LIMITS = {"fp32": Limits(largest=0.05, psnr=80.0), "fp16": Limits(largest=16.0, psnr=60.0)}
