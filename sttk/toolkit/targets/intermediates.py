"""A model whose inner tensors can be read and of which a part can be taken: a file a format."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sttk.toolkit.imaging.images import Floats

Values = Mapping[str, Floats]


@dataclass(frozen=True)
class Intermediate:
    """A tensor that one operation of the model computes.

    Attributes:
        tensor: its name, unique in the model.
        operation: name of the operation.
        kind: of operation, as the format calls it: ``Conv``, ``Convolution``, ``conv``.
        weights: names of what the operation reads that is stored, where the format keeps names.
    """

    tensor: str
    operation: str
    kind: str
    weights: tuple[str, ...] = ()


class Subgraph(Protocol):
    """A model of its own, cut out of another.

    Attributes:
        inputs: tensors that it must be given.
    """

    inputs: tuple[str, ...]

    def run(self, given: Values) -> Floats:
        """Its one result. Raises RunError."""

    def save(self, folder: Path) -> str:
        """Write the model into ``folder``; its file name."""


class InstrumentedModel(Protocol):
    """A model with its inner tensors laid open.

    Attributes:
        name: of the model's file.
        intermediates: in the order of execution.
        input: name of the tensor that the model takes.
        output: name of the tensor that it gives.
        script: text of a program that runs a saved part, see ``reproduction.py``.
        notes: what a reader must know of how it is run.
    """

    name: str
    intermediates: tuple[Intermediate, ...]
    input: str
    output: str
    script: str
    notes: tuple[str, ...]

    def run(self, batch: Floats) -> Values:
        """Return every intermediate's value; what is no (B, C, H, W) float is left out.

        Raises RunError.
        """

    def part(self, tensor: str, known: Collection[str]) -> Subgraph:
        """What computes ``tensor`` from ``known`` tensors, or from the model's input."""
