"""ExecuTorch's fp16 on a CPU with float16 arithmetic, which the CPU of these tests need not have.

At 256 px the emulation and such a CPU itself (a Xeon with AVX-512 FP16) agree: ink's ramp at 35.6
and 35.9 dB with both ends in float32.
"""

from __future__ import annotations

import pytest

from sttk.exporters.plans import usual_plan
from sttk.toolkit import styles
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.rungs import DIFFERENT, FAITHFUL
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.imaging.regimes import Regimes, shipped_photos
from sttk.toolkit.parity.compare import Comparison
from sttk.toolkit.parity.reference import References
from tests.exporters.half_sums import HalfSumsRunner


@pytest.mark.parametrize(
    ("style", "side", "regime"), [("ink", 64, "saturated"), ("scream-mobile-m", 128, "ramp")]
)
def test_what_fp16_promises_needs_both_ends_in_float32(style, side, regime):
    net = styles.find(style)
    (sample,) = Regimes(shipped_photos(), Shapes.fixed(side, side), names=(regime,))
    answer = References(net).of(sample.batch)

    def rung(plan):
        runner = HalfSumsRunner(net, plan, (side, side))
        return Comparison(FAITHFUL).row(runner, sample, answer)[0].rung

    assert rung(Plan("fp16")) == DIFFERENT
    assert rung(usual_plan("executorch", net, "fp16")) == FAITHFUL
