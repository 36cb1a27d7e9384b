"""An ONNX graph as plain Python, its constants as torch tensors: nothing of protobuf goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError, shown
from sttk.toolkit.core.shapes import Size


@dataclass(frozen=True)
class Node:
    """One operation; ``""`` among ``inputs`` is an optional one that is left out."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def __str__(self) -> str:
        """For messages: ``operation Foo (node bar)``."""
        return f"operation {shown(self.kind)} (node {shown(self.name)})"


@dataclass(frozen=True)
class Graph:
    """A graph with one picture in and one out.

    Attributes:
        nodes: in an order in which they can run.
        constants: initialisers, a chosen style among them.
        picture: name of the input (N, 3, H, W).
        output: name of the only output.
        batch: pictures at once where the file fixes it, else 1.
        size: of the picture where the file fixes it; a free side is None.
        opset: of the operations.
        metadata: what the file says about itself, keys in lower case.
        about: opset, producer and such, for the card.
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
    """A node with what is known of its inputs when the picture has a certain size.

    Attributes:
        node: the operation.
        opset: that it was written for.
        constants: by position; None for what depends on the picture, or is left out.
        shapes: by position; None for what is left out.
    """

    node: Node
    opset: int
    constants: tuple[Tensor | None, ...]
    shapes: tuple[tuple[int, ...] | None, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the first input."""
        if not self.shapes or self.shapes[0] is None:
            raise UnreadableError("it has no input")
        return self.shapes[0]

    @property
    def pixels(self) -> Size:
        """Height and width of the first input, which must be (N, C, H, W)."""
        if len(self.shape) != 4:
            raise UnreadableError(f"it works on {len(self.shape)} axes, not on a picture's 4")
        return self.shape[2], self.shape[3]

    def given(self, position: int) -> bool:
        """Whether there is such an input."""
        return position < len(self.shapes) and self.shapes[position] is not None

    def constant(self, position: int, what: str) -> Tensor:
        """An input that must be known; raises UnreadableError if it depends on the picture."""
        known = self.constants[position] if position < len(self.constants) else None
        if known is None:
            raise UnreadableError(f"its {what} is no constant")
        return known

    def whole_numbers(self, position: int, what: str) -> list[int]:
        """A constant input of int64, as a list."""
        values = self.constant(position, what)
        if values.is_floating_point():
            raise UnreadableError(f"its {what} is not of whole numbers")
        return [int(value) for value in values.flatten().tolist()]

    def ints(self, name: str, default: list[int] | None = None) -> list[int] | None:
        """An attribute that is a list of whole numbers."""
        value = self.node.attributes.get(name)
        if value is None:
            return default
        if not isinstance(value, list) or not all(isinstance(item, int) for item in value):
            raise UnreadableError(f"its {name} is not a list of whole numbers")
        return value

    def floats(self, name: str) -> list[float] | None:
        """An attribute that is a list of numbers."""
        value = self.node.attributes.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, int | float) for item in value):
            raise UnreadableError(f"its {name} is not a list of numbers")
        return [float(item) for item in value]

    def integer(self, name: str, default: int) -> int:
        """An attribute that is a whole number."""
        value = self.node.attributes.get(name, default)
        if not isinstance(value, int):
            raise UnreadableError(f"its {name} is not a whole number")
        return value

    def number(self, name: str, default: float) -> float:
        """An attribute that is a number."""
        value = self.node.attributes.get(name, default)
        if not isinstance(value, int | float):
            raise UnreadableError(f"its {name} is not a number")
        return float(value)

    def text(self, name: str, default: str) -> str:
        """An attribute that is a word."""
        value = self.node.attributes.get(name, default)
        if not isinstance(value, str):
            raise UnreadableError(f"its {name} is not a word")
        return value
