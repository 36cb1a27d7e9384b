"""The reference runtime: eager PyTorch on the CPU."""

from __future__ import annotations

import torch

from sttk.toolkit.core.errors import RunError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.runtimes.base import Closing


class TorchRunner(Closing):
    """A runner that runs a style net in PyTorch as it was loaded."""

    name = "torch"
    takes = Shapes.any()
    notes: tuple[str, ...] = ()

    def __init__(self, net: StyleNet) -> None:
        self.net = net

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        try:
            with torch.inference_mode():
                output: Floats = self.net(torch.from_numpy(batch)).numpy()
        except RuntimeError as error:
            raise RunError(f"torch: {' '.join(str(error).split())[:200]}") from error
        return output
