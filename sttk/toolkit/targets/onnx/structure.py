"""What an ONNX graph says: its operations with their numbers, read without a runtime."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sttk.toolkit.checkpoints.onnx_graph import proto
from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError, shown
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.targets import structure
from sttk.toolkit.targets.structure import Array, Forms, NotReadError, Operation, Stored, Structure

if TYPE_CHECKING:
    import onnx
else:
    onnx = Lazy("onnx", "onnx")

_MODES = {"constant": "zeros", "reflect": "reflect", "edge": "edge"}
_DEFAULT_EPSILON = np.float32(1e-5)
_DEFAULT_SLOPE = np.float32(0.01)
# They move, sum or round values and have no numbers that are compared.
_PLAIN = {
    "Add", "Sub", "Mul", "Div", "Cast", "Identity", "Concat", "Dropout", "Constant", "Shape",
    "QuantizeLinear", "DequantizeLinear",
}  # fmt: skip
_BINARY = ("Add", "Sub", "Mul", "Div")
_FUNCTIONS = {"Relu": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid"}


def read(path: Path) -> Structure:
    """Read a graph's operations.

    Raises:
        NotReadError: it is not an ONNX file, is larger than a style net's, or holds broken weights.
    """
    try:
        graph = _Graph(proto.parse_whole(path).graph)
    except UnreadableError as error:
        raise NotReadError(str(error)) from error
    operations: list[Operation] = []
    unread: Counter[str] = Counter()
    for node in graph.nodes:
        try:
            operations += _read(graph, node)
        # onnx's helpers raise these for tensors and attributes that contradict themselves.
        except (NotReadError, ValueError, TypeError, KeyError, IndexError):
            unread[shown(node.op_type)] += 1
    names = tuple(f"{count} {kind}" for kind, count in unread.items())
    return Structure(operations, names, Forms(symmetric=graph.is_symmetric))


class _Graph:
    """The nodes and the constants of a graph, which are converted when they are asked for."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes = list(graph.node)
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        for node in self.nodes:
            held = [each for each in node.attribute if each.name == "value" and each.HasField("t")]
            if node.op_type == "Constant" and held and node.output:
                self._tensors[node.output[0]] = held[0].t
        counts = (math.prod(max(0, n) for n in each.dims) for each in self._tensors.values())
        structure.check_bounds(self.nodes, counts)
        self._makers = {name: node for node in self.nodes for name in node.output}

    @property
    def is_symmetric(self) -> bool:
        """Whether no quantiser has a zero point, as TensorRT requires."""
        return not any(
            self.array(node.input[2]).any()
            for node in self.nodes
            if node.op_type == "QuantizeLinear"
            and node.input[2:]
            and node.input[2] in self._tensors
        )

    def array(self, name: str) -> Array:
        """Return a constant. Raises NotReadError if it is none, or is broken."""
        if name not in self._tensors:
            raise NotReadError(f"{shown(name)} is no constant")
        tensor = self._tensors[name]
        kind = proto.type_name(tensor.data_type)
        if kind == "INT8" and len(tensor.raw_data) == math.prod(tensor.dims):
            return np.frombuffer(tensor.raw_data, np.int8).reshape(tuple(tensor.dims))
        try:
            found: Array = proto.to_torch(tensor).numpy()
        except UnreadableError as error:
            raise NotReadError(str(error)) from error
        return found.astype(np.float16) if kind == "FLOAT16" else found

    def is_computed(self, name: str) -> bool:
        """Whether a value is the result of a node that holds none."""
        return name in self._makers and name not in self._tensors

    def is_constant(self, name: str) -> bool:
        """Whether a value is stored in the file, as it is or as a quantised number."""
        maker = self._makers.get(name)
        return name in self._tensors or (
            maker is not None
            and maker.op_type in ("DequantizeLinear", "Cast", "Identity")
            and maker.input[0] in self._tensors
        )

    def weights(self, name: str) -> Stored:
        """Return stored numbers, dequantised or widened if need be."""
        maker = self._makers.get(name)
        if name in self._tensors or maker is None:
            return structure.stored(self.array(name))
        if maker.op_type in ("Cast", "Identity"):
            return structure.stored(self.array(maker.input[0]))
        if maker.op_type != "DequantizeLinear":
            raise NotReadError(f"{shown(name)} is computed")
        whole, scale = (self.array(each) for each in maker.input[:2])
        zero = self.array(maker.input[2]) if len(maker.input) > 2 else np.zeros(1)
        axis = _attributes(maker).get("axis", 1)
        scale, zero = (structure.along(each, axis, whole.ndim) for each in (scale, zero))
        return structure.quantised(whole, scale, zero)


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    known = {each.name: each for each in node.attribute if each.name and not each.ref_attr_name}
    return {name: onnx.helper.get_attribute_value(each) for name, each in known.items()}


def _read(graph: _Graph, node: onnx.NodeProto) -> Iterator[Operation]:
    kind = node.op_type
    if node.domain not in proto.DOMAINS:
        raise NotReadError(kind)
    if kind in _READERS:
        yield _READERS[kind](graph, node, node.name or kind)
    elif kind in _FUNCTIONS:
        yield structure.activation(node.name or kind, _FUNCTIONS[kind])
    elif kind not in _PLAIN or (kind in _BINARY and _has_weights(graph, node)):
        raise NotReadError(kind)


def _has_weights(graph: _Graph, node: onnx.NodeProto) -> bool:
    """Whether a constant of a sum or a product is more than one number, such as a norm's gain."""
    return any(
        graph.is_constant(name) and graph.weights(name).values.size > 1 for name in node.input
    )


def _convolution(graph: _Graph, node: onnx.NodeProto, name: str) -> Operation:
    given = _attributes(node)
    if given.get("auto_pad", b"NOTSET") != b"NOTSET" or "output_shape" in given:
        raise NotReadError(f"{name}: pads that depend on the size")
    transposed = node.op_type == "ConvTranspose"
    pads = list(given.get("pads", [0] * 4))
    for axis, more in enumerate(given.get("output_padding", [])):
        pads[2 + axis] -= more
    return structure.convolution(
        name,
        graph.weights(node.input[1]),
        graph.weights(node.input[2]) if len(node.input) > 2 and node.input[2] else None,
        stride=given.get("strides", [1, 1]),
        pads=pads,
        dilation=given.get("dilations", [1, 1]),
        groups=given.get("group", 1),
        transposed=transposed,
    )


def _norm(graph: _Graph, node: onnx.NodeProto, name: str) -> Operation:
    epsilon = _attributes(node).get("epsilon", _DEFAULT_EPSILON)
    gain, bias = (graph.weights(each) for each in node.input[1:3])
    return structure.norm(name, gain, bias, structure.number(epsilon))


def _batch_norm(graph: _Graph, node: onnx.NodeProto, name: str) -> Operation:
    epsilon = _attributes(node).get("epsilon", _DEFAULT_EPSILON)
    weights = [graph.weights(each) for each in node.input[1:5]]
    return structure.batch_norm(name, weights, epsilon)


def _pad(graph: _Graph, node: onnx.NodeProto, name: str) -> Operation:
    given = _attributes(node)
    mode = _MODES[given.get("mode", b"constant").decode("ascii", "replace")]
    pads = given.get("pads")
    if pads is None and graph.is_computed(node.input[1]):
        return Operation(structure.PAD, name, {"mode": mode, "sides": structure.COMPUTED})
    if pads is None:
        pads = graph.array(node.input[1]).reshape(-1).tolist()
    value = given.get("value", 0.0)
    if len(node.input) > 2 and node.input[2]:
        value = float(graph.array(node.input[2]).reshape(-1)[0])
    axes = len(node.input) > 3 and node.input[3]
    if len(pads) != 8 or any(pads[:2]) or any(pads[4:6]) or axes or (mode == "zeros" and value):
        raise NotReadError(f"{name}: pads of other axes, or with {value}")
    return structure.pad(name, mode, (*pads[2:4], *pads[6:8]))


def _slice(graph: _Graph, node: onnx.NodeProto, name: str) -> Operation:
    starts, ends, *others = (graph.array(each).reshape(-1).tolist() for each in node.input[1:])
    axes = others[0] if others else list(range(len(starts)))
    steps = others[1] if len(others) > 1 else [1] * len(starts)
    sides = [0, 0, 0, 0]
    for axis, first, past, step in zip(axes, starts, ends, steps, strict=True):
        # A slice to a positive end depends on the size, unless it is to the very end.
        if axis % 4 < 2 or step != 1 or first < 0 or 0 <= past < 1 << 30:
            raise NotReadError(f"{name}: no crop")
        sides[axis % 4 - 2], sides[axis % 4] = first, -past if past < 0 else 0
    return structure.crop(name, sides)


def _resize(graph: _Graph, node: onnx.NodeProto, name: str) -> Operation:
    given = _attributes(node)
    at = 1 if node.op_type == "Upsample" else 2
    scales = given.get("scales")
    if scales is None:
        scales = graph.array(node.input[at]).reshape(-1).tolist()
    if len(scales) != 4 or list(scales[:2]) != [1, 1]:
        raise NotReadError(f"{name}: an upsampling of other axes, or to a size")
    mode = given.get("mode", b"nearest").decode("ascii", "replace")
    return structure.resize(name, mode, scales[2:])


def _shuffle(_graph: _Graph, node: onnx.NodeProto, name: str) -> Operation:
    given = _attributes(node)
    if given.get("mode", b"DCR") != b"CRD":
        raise NotReadError(f"{name}: the phase lies before the channel")
    return structure.shuffle(name, given["blocksize"])


def _leaky_relu(_graph: _Graph, node: onnx.NodeProto, name: str) -> Operation:
    slope = _attributes(node).get("alpha", _DEFAULT_SLOPE)
    return structure.activation(name, "leaky relu", slope=slope)


def _clip(graph: _Graph, node: onnx.NodeProto, name: str) -> Operation:
    given = _attributes(node)
    low, high = given.get("min", -math.inf), given.get("max", math.inf)
    bounds = [
        float(graph.array(each).reshape(-1)[0]) if each else open_
        for each, open_ in zip([*node.input[1:], "", ""], (low, high), strict=False)
    ]
    return structure.activation(name, "clamp", low=bounds[0], high=bounds[1])


_READERS: dict[str, Callable[[_Graph, Any, str], Operation]] = {
    "Conv": _convolution,
    "ConvTranspose": _convolution,
    "InstanceNormalization": _norm,
    "BatchNormalization": _batch_norm,
    "Pad": _pad,
    "Slice": _slice,
    "Resize": _resize,
    "Upsample": _resize,
    "DepthToSpace": _shuffle,
    "LeakyRelu": _leaky_relu,
    "Clip": _clip,
}
