"""An ONNX graph as plain Python with torch constants, so that later code needs no protobuf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError, shown
from sttk.toolkit.core.shapes import Size


@dataclass(frozen=True)
class Node:
    """An operation; ``""`` among ``inputs`` is an optional input that is left out."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def __str__(self) -> str:
        """Return ``operation Foo (node bar)``, for messages."""
        return f"operation {shown(self.kind)} (node {shown(self.name)})"


@dataclass(frozen=True)
class Graph:
    """A graph with one picture as its input and one as its output.

    Attributes:
        nodes: the operations, in an order in which they can run.
        constants: the initialisers, and the weights of a chosen style.
        picture: name of the input (N, 3, H, W).
        output: name of the only output.
        batch: the batch size where the file fixes it, else 1.
        size: the picture's height and width; None for a side that the file leaves free.
        opset: the opset of the operations.
        metadata: the file's metadata, keys in lower case.
        about: opset, producer and the like, for the model card.
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, Tensor]
    picture: str
    output: str
    batch: int
    size: tuple[int | None, int | None]
    opset: int
    metadata: Mapping[str, str]
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """A node and what is known of its inputs for a picture of one size.

    Attributes:
        node: the operation.
        opset: the opset that it was written for.
        constants: the inputs' values; None for one that depends on the picture or is left out.
        shapes: the inputs' shapes; None for one that is left out.
    """

    node: Node
    opset: int
    constants: tuple[Tensor | None, ...]
    shapes: tuple[tuple[int, ...] | None, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the first input."""
        if not self.shapes or self.shapes[0] is None:
            raise UnreadableError("it has no input")
        return self.shapes[0]

    @property
    def pixels(self) -> Size:
        """The height and width of the first input, which must be (N, C, H, W)."""
        if len(self.shape) != 4:
            raise UnreadableError(f"it works on {len(self.shape)} axes, not on a picture's 4")
        return self.shape[2], self.shape[3]

    def given(self, position: int) -> bool:
        """Return whether there is an input at this position."""
        return position < len(self.shapes) and self.shapes[position] is not None

    def constant(self, position: int, what: str) -> Tensor:
        """Return an input's value; raises UnreadableError if it depends on the picture."""
        known = self.constants[position] if position < len(self.constants) else None
        if known is None:
            raise UnreadableError(f"its {what} is no constant")
        return known

    def whole_numbers(self, position: int, what: str) -> list[int]:
        """Return a constant int64 input as a list."""
        values = self.constant(position, what)
        if values.is_floating_point():
            raise UnreadableError(f"its {what} is not of whole numbers")
        return [int(value) for value in values.flatten().tolist()]

    def ints(self, name: str, default: list[int] | None = None) -> list[int] | None:
        """Return an attribute that is a list of whole numbers."""
        value = self.node.attributes.get(name)
        if value is None:
            return default
        if not isinstance(value, list) or not all(isinstance(item, int) for item in value):
            raise UnreadableError(f"its {name} is not a list of whole numbers")
        return value

    def floats(self, name: str) -> list[float] | None:
        """Return an attribute that is a list of numbers."""
        value = self.node.attributes.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, int | float) for item in value):
            raise UnreadableError(f"its {name} is not a list of numbers")
        return [float(item) for item in value]

    def integer(self, name: str, default: int) -> int:
        """Return an attribute that is a whole number."""
        value = self.node.attributes.get(name, default)
        if not isinstance(value, int):
            raise UnreadableError(f"its {name} is not a whole number")
        return value

    def number(self, name: str, default: float) -> float:
        """Return an attribute that is a number."""
        value = self.node.attributes.get(name, default)
        if not isinstance(value, int | float):
            raise UnreadableError(f"its {name} is not a number")
        return float(value)

    def text(self, name: str, default: str) -> str:
        """Return an attribute that is a string."""
        value = self.node.attributes.get(name, default)
        if not isinstance(value, str):
            raise UnreadableError(f"its {name} is not a word")
        return value
