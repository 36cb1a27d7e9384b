"""ExecuTorch's fp16 on a CPU with float16 arithmetic, which the CPU of these tests need not have.

At 256 px the emulation and such a CPU itself (a Xeon with AVX-512 FP16) agree: ink's ramp at 35.6
and 35.9 dB with both ends in float32.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sttk.exporters.plans import usual_plan
from sttk.toolkit import styles
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.rungs import DIFFERENT, FAITHFUL
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.imaging.regimes import Regimes, shipped_photos
from sttk.toolkit.parity.compare import Comparison
from sttk.toolkit.parity.reference import References
from tests.exporters.half_sums import HalfSums, HalfSumsRunner


def half(*shape, seed=0):
    drawn = np.random.default_rng(seed).standard_normal(shape)
    return torch.from_numpy(drawn.astype(np.float16))


@pytest.mark.parametrize(
    "options",
    [{}, {"stride": 2}, {"padding": 1}, {"stride": 2, "padding": 1, "dilation": 2}, {"groups": 2}],
)
def test_it_is_a_convolution(options):
    x, bias = half(2, 6, 13, 17), half(8)
    weight = half(8, 6 // options.get("groups", 1), 3, 3, seed=1)
    with HalfSums():
        y = F.conv2d(x, weight, bias, **options)
    wanted = F.conv2d(x.double(), weight.double(), bias.double(), **options)
    assert y.dtype == torch.float16
    assert 1e-3 < (y - wanted).abs().max() < 0.1


@pytest.mark.parametrize(
    "options",
    [{"stride": 2, "padding": 3}, {"stride": 2, "padding": 1, "output_padding": 1}, {}],
)
def test_it_is_a_transposed_convolution(options):
    x, weight, bias = half(2, 6, 13, 17), half(6, 8, 4, 4, seed=1), half(8)
    with HalfSums():
        y = F.conv_transpose2d(x, weight, bias, **options)
    wanted = F.conv_transpose2d(x.double(), weight.double(), bias.double(), **options)
    assert 1e-3 < (y - wanted).abs().max() < 0.2


def test_sums_end_where_float16_counts_no_further():
    with HalfSums():
        y = F.conv2d(torch.ones(1, 3000, 1, 1).half(), torch.ones(1, 3000, 1, 1).half())
    assert y.item() == 2048


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
