"""How near an output is to a net's, by limits that are computed for the input at hand.

They are parity's own: float64's answer to the input, what float32 costs on it, and what half a grey
level of noise in it makes. A number that was seen on one processor is none of them.
"""

from __future__ import annotations

from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.parity.judge import rung_of
from sttk.toolkit.parity.metrics import regions
from sttk.toolkit.parity.reference import References


def rung(output: Floats, net: StyleNet, x: Floats) -> str:
    """``exact``, ``faithful`` or ``different``; an output of another shape is none.

    Args:
        output: that a model gave for ``x``.
        net: that the model is of.
        x: a batch, (B, 3, H, W).
    """
    answer = References(net).of(x)
    assert output.shape == answer.exact.shape
    return rung_of(regions(output, answer.exact), answer)
