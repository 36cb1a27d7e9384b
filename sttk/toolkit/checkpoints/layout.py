"""The interface of a checkpoint layout: how to recognise it by its keys, and how to read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.convention import PLAIN, Convention, Guess

INPUT_AND_OUTPUT = "input and output"  # of a guess that a choice of both replaces
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Loaded:
    """A checkpoint that was read.

    Attributes:
        net: the module, as its author computes it.
        contract: the sizes that it takes.
        card: its model card.
        convention: what the module takes and gives; RGB in 0..255 by default.
        guesses: what was assumed of the file, because it does not say it.
        turned: whether the layout has turned its author's values into RGB in 0..255 itself.
        peeled: the nests and prefixes around the weights.
    """

    net: nn.Module
    contract: Contract = field(default_factory=Contract)
    card: dict[str, Any] = field(default_factory=dict)
    convention: Convention = PLAIN
    guesses: tuple[Guess, ...] = ()
    turned: bool = False
    peeled: str = ""


@runtime_checkable
class TracksStatistics(Protocol):
    """A layout whose norms may use running statistics: ``FILE#norm=running``."""

    offers_norm: bool

    def build(self, state: Tensors, norm: str | None = None) -> Loaded:
        """Return the net with these weights; see :class:`Layout`.

        Args:
            state: the file's tensors.
            norm: ``instance`` or ``running``; None where the user does not say.
        """


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
