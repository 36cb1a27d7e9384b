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
    """A checkpoint that was read: a module in 0..255 RGB, its contract and its model card."""

    net: nn.Module
    contract: Contract = field(default_factory=Contract)
    card: dict[str, Any] = field(default_factory=dict)


class Layout(Protocol):
    """A layout. Each is one module of this package; see any of them for an example.

    Beside these names it may have ``KEYS``, a pattern of all keys that its files can have: a file
    that nearly fits is then told from another net's, and the first key that does not fit is named.
    """

    NAME: str
    DESCRIPTION: str

    def matches(self, state: Tensors) -> bool:
        """Return whether the keys and shapes are this layout's; never raises on foreign ones."""

    def build(self, state: Tensors) -> Loaded:
        """Return the net with these weights.

        Raises:
            RuntimeError, KeyError, ValueError: the weights are broken.
        """
