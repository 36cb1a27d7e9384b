"""Lowering of an ONNX graph, channels first, to a TFLite graph, channels last.

No computed tensor is transposed: each operation is rewritten for channels last, and constants are
transposed here. Operations that TFLite's kernels lack, or XNNPACK, which runs them, are composed of
those that they have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sttk.exporters.litert.flat import Array, Flat, Scale
from sttk.toolkit.core.errors import ExportError
from sttk.toolkit.host.optional import Lazy

if TYPE_CHECKING:
    import onnx
else:
    onnx = Lazy("onnx", "onnx")


@dataclass(frozen=True)
class Node:
    """An ONNX node, with its attributes parsed."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Quantised:
    """An ONNX tensor that was rounded to int8 and is read as float."""

    stored: int | Array
    scale: Scale


@dataclass
class Lowering:
    """The state of a lowering, while the graph is traversed.

    Attributes:
        flat: the builder of the model.
        constants: the constants of the ONNX graph, by name.
        tensors: the number of the TFLite tensor for each ONNX tensor, by name.
        quantised: the int8 tensors, by the name of their float form.
        readers: the nodes that read each ONNX tensor, by its name.
        nodes: the nodes seen so far, by the name of their output.
        half: whether weights are stored in float16 if that loses nothing.
        count: the number of names generated so far.
    """

    flat: Flat
    constants: dict[str, Array]
    half: bool
    readers: dict[str, list[Node]]
    tensors: dict[str, int] = field(default_factory=dict)
    quantised: dict[str, Quantised] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    count: int = 0

    def new(self, like: str) -> str:
        """Return a new name for a tensor that is not in the ONNX graph."""
        self.count += 1
        return f"{like}/{self.count}"

    def value(self, name: str) -> int:
        """Return the float tensor of an ONNX name: computed, constant, or dequantised."""
        if name not in self.tensors:
            if name in self.quantised:
                self.tensors[name] = self._dequantised(name)
            elif name in self.constants:
                self.tensors[name] = self.numbers(name, last(self.constants[name]))
            else:
                raise ExportError(f"the graph does not say what {name} is")
        return self.tensors[name]

    def _dequantised(self, name: str) -> int:
        source = self.quantised[name].stored
        if not isinstance(source, int):
            raise ExportError(f"{name}: int8 constants are for convolutions")
        return self.flat.operator(
            "DEQUANTIZE", [source], self.flat.tensor(name), "DequantizeOptions"
        )

    def numbers(self, name: str, values: Array, weights: bool = False) -> int:
        """Add a constant; weights that float16 can hold are stored in it, and widened when read."""
        values = values.astype(np.float32) if values.dtype.kind == "f" else values.astype(np.int32)
        small = values.astype(np.float16) if self.half and weights else None
        if small is None or not np.array_equal(small.astype(np.float32), values):
            return self.flat.constant(name, values)
        stored = self.flat.constant(f"{name}/float16", small)
        return self.add("DEQUANTIZE", [stored], name, "DequantizeOptions")

    def add(self, kind: str, inputs: list[int], name: str, options: str = "", **fields: Any) -> int:
        """Add an operator that computes a float tensor of this name."""
        return self.flat.operator(kind, inputs, self.flat.tensor(name), options, **fields)

    def done(self, node: Node, tensor: int) -> None:
        """Record ``tensor`` as the output of ``node``."""
        self.tensors[node.output] = tensor


Handler = Callable[[Node, Lowering], None]
HANDLERS: dict[str, Handler] = {}


def handles(*kinds: str) -> Callable[[Handler], Handler]:
    """Register a function as the handler of the named ONNX operations."""

    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(kinds, handler))
        return handler

    return register


def lower(model: onnx.ModelProto, flat: Flat, half: bool) -> Lowering:
    """Lower a graph into ``flat``, whose first tensor is the graph's input.

    Raises:
        ExportError: an operation, or a form of it, is not supported here.
    """
    graph = model.graph
    constants = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    nodes = [_node(each) for each in graph.node]
    readers: dict[str, list[Node]] = {}
    for node in nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node)
    lowering = Lowering(flat, constants, half, readers)
    source = graph.input[0].name
    lowering.tensors[source] = flat.tensor(source)
    for node in nodes:
        if node.kind not in HANDLERS:
            raise ExportError(f"{node.name}: sttk has no form of {node.kind} for LiteRT")
        lowering.nodes[node.output] = node
        HANDLERS[node.kind](node, lowering)
    result = graph.output[0].name
    flat.between({source: lowering.tensors[source]}, {result: lowering.value(result)})
    return lowering


def _node(proto: onnx.NodeProto) -> Node:
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in proto.attribute}
    return Node(proto.op_type, proto.name, tuple(proto.input), proto.output[0], attributes)


def last(values: Array) -> Array:
    """Return a constant that is broadcast against (B, C, H, W), transposed for (B, H, W, C)."""
    if values.ndim < 2:
        if values.size > 1:
            raise ExportError(f"a constant of shape {values.shape} lies along the width")
        return values.reshape(-1)[:1].reshape(())
    whole: Array = values.reshape((1,) * (4 - values.ndim) + values.shape)
    return np.transpose(whole, (0, 2, 3, 1))
