"""What a checkpoint layout is: a way to know it by its keys, and a way to read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn

from sttk.toolkit.core.contract import Contract

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Loaded:
    """What reading a checkpoint gives: a module in 0..255 RGB, its contract, its own words."""

    net: nn.Module
    contract: Contract = field(default_factory=Contract)
    card: dict[str, Any] = field(default_factory=dict)


class Layout(Protocol):
    """One module of this package per layout; see any of them for the shape of it."""

    NAME: str
    DESCRIPTION: str

    def matches(self, state: Tensors) -> bool:
        """Whether the keys and shapes are this layout's. Must not raise on foreign ones."""

    def build(self, state: Tensors) -> Loaded:
        """The net with these weights. Raises RuntimeError, KeyError or ValueError if broken."""
