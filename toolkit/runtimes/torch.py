"""The reference runtime: PyTorch, eager, on the CPU."""

from __future__ import annotations

import torch

from toolkit.contract import Size
from toolkit.images import Floats
from toolkit.style_net import StyleNet


class TorchRunner:
    """Runs a style net as it was loaded."""

    name = "torch"
    size: Size | None = None

    def __init__(self, net: StyleNet) -> None:
        self.net = net

    def run(self, batch: Floats) -> Floats:
        """See :class:`toolkit.runtimes.base.Runner`."""
        with torch.inference_mode():
            output: Floats = self.net(torch.from_numpy(batch)).numpy()
        return output
