"""The interface of a checkpoint layout: how to recognise it by its keys, and how to read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn

from sttk.toolkit.core.contract import Contract

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Loaded:
    """A checkpoint that was read: a module in 0..255 RGB, its contract and its model card.

    Attributes:
        net: the net, which takes and gives RGB in 0..255.
        contract: its sizes.
        card: what the checkpoint says about itself.
        assumed: what the file does not say and the layout took for granted; empty if nothing.
        peeled: the nests and prefixes around the weights.
    """

    net: nn.Module
    contract: Contract = field(default_factory=Contract)
    card: dict[str, Any] = field(default_factory=dict)
    assumed: str = ""
    peeled: str = ""


class Layout(Protocol):
    """A layout. Each is one module of this package; see any of them for an example."""

    NAME: str
    DESCRIPTION: str

    def matches(self, state: Tensors) -> bool:
        """Return whether the keys and shapes are this layout's; never raises on foreign ones."""

    def build(self, state: Tensors) -> Loaded:
        """Return the net with these weights.

        Raises:
            RuntimeError, KeyError, ValueError: the weights are broken.
        """
