"""What a screen shows of a net's output: whole grey levels."""

from __future__ import annotations

from torch import Tensor

from sttk.toolkit.core.style_net import StyleNet


class OnScreen(StyleNet):
    """A style net whose output is rounded, half to even.

    Pixels that were read back from a screen are held to this. Against the net itself their rounding
    alone would stand at the limit of *faithful*, and chance would say on which side.
    """

    def __init__(self, net: StyleNet) -> None:
        super().__init__(net.net, net.contract, net.origin)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) in 0..255 -> the same, whole numbers."""
        return super().forward(x).round()
