"""A style net: a torch module, its contract, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.convention import PLAIN, Convention, Guess
from sttk.toolkit.core.ends import Enter, Leave

# The modules of a :class:`StyleNet` that convert its input and output.
ENDS = ("enter", "leave")


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
        guesses: what was assumed of the file, because it does not say it.
        peeled: the nests and prefixes that were around its weights.
    """

    name: str
    source: str
    sha256: str
    layout: str
    card: dict[str, Any] = field(default_factory=dict)
    guesses: tuple[Guess, ...] = ()
    peeled: str = ""


class StyleNet(nn.Module):
    """(B, 3, H, W) -> (B, 3, H', W'), float, RGB in 0..255, output clamped to 0..255.

    ``H', W'`` are ``contract.output_size(H, W)``. The net is frozen, in evaluation mode. A net of
    another convention has a module before it and one after it, which are exported with it.

    Attributes:
        net: the net as its author computes it.
        enter, leave: the modules that convert its input and output, or None.
    """

    def __init__(
        self,
        net: nn.Module,
        contract: Contract,
        origin: Origin,
        convention: Convention = PLAIN,
    ) -> None:
        super().__init__()
        self.net = net
        self.contract = contract
        self.origin = origin
        self.convention = convention
        self.enter = None if convention.input.is_plain else Enter(convention.input)
        self.leave = None if convention.output.is_plain else Leave(convention.output)
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        low, high = self.contract.output_range
        y: Tensor = self.net(x if self.enter is None else self.enter(x))
        y = y if self.leave is None else self.leave(y)
        return y.clamp(low, high)
