"""The reference for pixels read back from a screen, which shows whole grey levels."""

from __future__ import annotations

from torch import Tensor

from sttk.toolkit.core.style_net import StyleNet


class OnScreen(StyleNet):
    """A style net whose output is rounded to whole numbers, half to even.

    It is the reference for pixels that were read back from a screen. Against the net itself their
    rounding alone would be at the limit of *faithful*, and chance would decide on which side.
    """

    def __init__(self, net: StyleNet) -> None:
        super().__init__(net.net, net.contract, net.origin, net.convention)

    def forward(self, x: Tensor) -> Tensor:
        """Stylise (B, 3, H, W) in 0..255; the output is whole numbers of that range."""
        return super().forward(x).round()
