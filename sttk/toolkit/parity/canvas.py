"""Parity of an open web page: the canvas's pixels against a torch net's output."""

from __future__ import annotations

import base64

import numpy as np

from sttk.toolkit.core.rungs import FAITHFUL
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.imaging.regimes import Sample
from sttk.toolkit.parity.compare import Comparison, Row
from sttk.toolkit.parity.reference import References
from sttk.toolkit.parity.screen import OnScreen
from sttk.toolkit.web.chromium import Tab

_PIXELS = """async () => {
  const canvas = document.getElementById("canvas");
  const { before } = (await import("./app.js")).shown();
  const given = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const text = ({ data }) => btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join(""));
  return [canvas.height, canvas.width, text(before), text(given)];
}"""


def canvas(tab: Tab) -> tuple[Floats, Floats]:
    """Read the pixels that the page gave its net, and those that its canvas shows.

    Returns:
        Both (1, 3, H, W) float32 in 0..255, RGB.
    """
    height, width, before, shown = tab.run(_PIXELS)
    return _planes(before, height, width), _planes(shown, height, width)


def _planes(text: str, height: int, width: int) -> Floats:
    """Decode base64 RGBA bytes to (1, 3, H, W) float32 in 0..255."""
    rgba = np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)
    return np.ascontiguousarray(rgba[..., :3].transpose(2, 0, 1)[None], dtype=np.float32)


def judged(net: StyleNet, given: Floats, seen: Floats, name: str = "canvas") -> Row:
    """Judge a canvas by the parity gate, against the rung *faithful*.

    Args:
        net: the style net that the page says it runs.
        given: the picture that the page gave its net, (1, 3, H, W) float32 in 0..255.
        seen: the picture that the page showed, in the same format.
        name: the picture's name, for reports.
    """
    return Comparison(FAITHFUL).verdict(
        Sample(name, given), seen, References(OnScreen(net)).of(given)
    )
