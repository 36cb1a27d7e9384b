"""A style net: a torch module, its contract, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from sttk.toolkit.core.contract import Contract


@dataclass(frozen=True)
class Origin:
    """The origin of a style net, as the manifest records it.

    Attributes:
        name: the short name for folders and reports, such as ``ink`` or ``candy``.
        source: ``style:ink`` for a shipped style, else the absolute path.
        sha256: the hash of the checkpoint's bytes (for a folder: of its files' names and bytes,
            sorted; for an ONNX file with weights in other files: of all of them).
        layout: the name of the checkpoint layout.
        card: the checkpoint's model card: painting, data, recipe, licence.
    """

    name: str
    source: str
    sha256: str
    layout: str
    card: dict[str, Any] = field(default_factory=dict)


class StyleNet(nn.Module):
    """(B, 3, H, W) -> (B, 3, H', W'), float, RGB in 0..255, output clamped to 0..255.

    ``H', W'`` are ``contract.output_size(H, W)``. The net is frozen, in evaluation mode.
    """

    def __init__(self, net: nn.Module, contract: Contract, origin: Origin) -> None:
        super().__init__()
        self.net = net
        self.contract = contract
        self.origin = origin
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        low, high = self.contract.output_range
        y: Tensor = self.net(x)
        return y.clamp(low, high)
