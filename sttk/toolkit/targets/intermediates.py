"""Models whose intermediate tensors can be read, and from which subgraphs can be cut.

Each format implements these protocols in an ``intermediates.py`` of its own.
"""

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
        operation: the operation's name.
        kind: the operation's type, as the format calls it: ``Conv``, ``Convolution``, ``conv``.
        weights: the names of the stored tensors that the operation reads, where the format keeps
            names.
    """

    tensor: str
    operation: str
    kind: str
    weights: tuple[str, ...] = ()


class Subgraph(Protocol):
    """A part of a model, cut out as a model of its own.

    Attributes:
        inputs: the names of the tensors that it takes.
    """

    inputs: tuple[str, ...]

    def run(self, given: Values) -> Floats:
        """Return its one result. Raises RunError."""

    def save(self, folder: Path) -> str:
        """Write the model into ``folder`` and return its file name."""


class InstrumentedModel(Protocol):
    """A model whose intermediate tensors can be read.

    Attributes:
        name: the name of the model's file.
        intermediates: the intermediate tensors, in the order of execution.
        input: the name of the input tensor.
        output: the name of the output tensor.
        script: the text of a program that runs a saved subgraph, see ``reproduction.py``.
        notes: caveats on how it is run, for readers of the results.
    """

    name: str
    intermediates: tuple[Intermediate, ...]
    input: str
    output: str
    script: str
    notes: tuple[str, ...]

    def run(self, batch: Floats) -> Values:
        """Return the values of all intermediates that are (B, C, H, W) floats. Raises RunError."""

    def part(self, tensor: str, known: Collection[str]) -> Subgraph:
        """Return the subgraph that computes ``tensor`` from ``known`` tensors or the input."""
