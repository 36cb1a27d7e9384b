"""Whether a difference is one of arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.manifest import Target
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


# Over twelve checkpoints of five layouts (artifacts/reports/parity.md), fp32 differs by the order
# of sums alone: at most 0.021 of 255, at least 109 dB. A twentieth of a grey level leaves the 8-bit
# picture the same. fp16 has 11 bits: at most 2.2 of 255 in single pixels, where a ReLU or a norm is
# steep, and at least 70 dB; 60 dB is a mean error of about a fifth of a grey level.
# int8 is judged against the net with the same quantisers in float. A sum that differs in its last
# bit can round to the next of 256 levels, and an instance norm makes that a visible step in flat
# areas: single pixels differ by up to 146, while all together keep to 30 dB or better.
LIMITS = {
    "fp32": Limits(largest=0.05, psnr=90.0),
    "fp16": Limits(largest=6.0, psnr=60.0),
    "int8": Limits(largest=255.0, psnr=28.0),
    "fp8": Limits(largest=255.0, psnr=28.0),
}

# Core ML and Core AI round every result to float16, where ONNX Runtime's CPU kernels keep float32
# between most of them: over eleven checkpoints at most 25.7 of 255 in single pixels, at least 50.7
# dB; torch with every result rounded gives the same.
_ROUNDED = Limits(largest=40.0, psnr=48.0)
_ROUNDING = ("coreml", "coreai")
# Of Core ML's compressed weights, measured on candy: 23 and 45.6 dB, 19 and 47.2, 33 and 39.6, 237
# and 23.4, 157 and 25.6.
_COMPRESSED = {
    "int8": Limits(largest=60.0, psnr=40.0),
    "palette8": Limits(largest=60.0, psnr=40.0),
    "palette6": Limits(largest=80.0, psnr=34.0),
    "palette4": Limits(largest=255.0, psnr=20.0),
    "int4": Limits(largest=255.0, psnr=20.0),
}


def limits_of(target: Target) -> Limits:
    """What an artifact may cost."""
    if target.options.get("compress") in _COMPRESSED:
        return _COMPRESSED[target.options["compress"]]
    if target.precision == "fp16" and target.name in _ROUNDING:
        return _ROUNDED
    return LIMITS[target.precision]
