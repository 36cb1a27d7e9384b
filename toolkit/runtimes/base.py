"""What a runtime is: something that runs a model on arrays, behind one small protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from toolkit.contract import Size
from toolkit.images import Floats


@dataclass(frozen=True)
class Takes:
    """The inputs that a model was made for; None is any.

    Attributes:
        batch: pictures at once.
        size: (height, width).
    """

    batch: int | None = None
    size: Size | None = None


class Runner(Protocol):
    """A loaded model.

    Attributes:
        name: of the runtime, such as ``onnxruntime``.
        takes: which batches and sizes it can run.
    """

    name: str
    takes: Takes

    def run(self, batch: Floats) -> Floats:
        """(B, 3, H, W) float32 RGB in 0..255 -> (B, 3, H', W'), by the net's contract.

        Raises:
            RunError: the model does not take such an input, or failed on it.
        """
