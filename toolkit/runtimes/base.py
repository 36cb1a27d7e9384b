"""What a runtime is: something that runs a model on arrays, behind one small protocol."""

from __future__ import annotations

from typing import Protocol

from toolkit.contract import Size
from toolkit.images import Floats


class Runner(Protocol):
    """A loaded model.

    Attributes:
        name: of the runtime, such as ``onnxruntime``.
        size: (height, width) of the only size that it takes, or None for any.
    """

    name: str
    size: Size | None

    def run(self, batch: Floats) -> Floats:
        """(B, 3, H, W) float32 RGB in 0..255 -> (B, 3, H', W'), by the net's contract."""
