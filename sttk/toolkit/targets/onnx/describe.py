"""The facts that an ONNX file states, read without a runtime and without running anything."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit.checkpoints import load
from sttk.toolkit.checkpoints.onnx_graph import UNREADABLE, proto
from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError, shown
from sttk.toolkit.core.errors import ArtifactError, CheckpointError

if TYPE_CHECKING:
    import onnx

_MOST_AXES = 8
_SPATIAL = ({2, 3}, {-2, -1})
_LAST = ({3}, {-1})
_BITS = {"DOUBLE": 64, "INT64": 64, "UINT64": 64, "FLOAT": 32, "INT32": 32, "UINT32": 32}
_BITS |= dict.fromkeys(("FLOAT16", "BFLOAT16", "INT16", "UINT16"), 16)
_BITS |= dict.fromkeys(("INT4", "UINT4", "FLOAT4E2M1"), 4)
_PRECISIONS = {"FLOAT": "fp32", "FLOAT16": "fp16", "BFLOAT16": "bf16", "DOUBLE": "fp64"}
_INTEGER_KERNELS = ("QLinear", "ConvInteger", "MatMulInteger")


def describe(path: Path) -> dict[str, Any]:
    """Return facts about any ONNX model, a style net or not, as plain JSON values.

    The keys are ``format``, ``inputs``, ``outputs``, ``size``, ``precision``, ``weights`` (tensors
    and values by type), ``parameters``, ``bytes``, ``operations``, ``opset``, ``ir_version``,
    ``producer``, ``metadata``, ``norms`` (``whole`` and ``decomposed`` instance norms) and
    ``sttk`` (how sttk reads the file, or why it cannot).

    Raises:
        ArtifactError: it is not an ONNX file.
        MissingExtraError: onnx is not installed.
    """
    try:
        model = proto.parse(path)
    except UnreadableError as error:
        raise ArtifactError(f"{path}: {error}") from error
    graph = _Graph(model.graph)
    inputs = [value for value in model.graph.input if value.name not in graph.weights]
    weights = _weights(graph)
    return {
        "format": "ONNX",
        "inputs": [_port(value) for value in inputs],
        "outputs": [_port(value) for value in model.graph.output],
        "size": _size([_shape(value) for value in inputs]),
        "precision": _precision(graph),
        "weights": weights,
        "parameters": sum(kind["values"] for kind in weights.values()),
        "bytes": path.stat().st_size,
        "operations": dict(Counter(map(_kind, graph.nodes)).most_common()),
        "opset": {shown(entry.domain or "ai.onnx"): entry.version for entry in model.opset_import},
        "ir_version": model.ir_version,
        "producer": shown(f"{model.producer_name} {model.producer_version}".strip()),
        "metadata": {shown(entry.key): shown(entry.value, 200) for entry in model.metadata_props},
        "norms": {
            "whole": sum(node.op_type == "InstanceNormalization" for node in graph.nodes),
            "decomposed": sum(graph.is_deviation(node) for node in graph.nodes),
        },
        "sttk": _read_as(path),
    }


class _Graph:
    """All nodes and constants of a graph, including those of nested graphs."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, onnx.TensorProto] = {}
        rest = [graph]
        while rest:
            part = rest.pop()
            self.nodes += part.node
            self.weights |= {tensor.name: tensor for tensor in part.initializer}
            rest += [
                entry.g for node in part.node for entry in node.attribute if entry.HasField("g")
            ]
        self._makers = {name: node for node in self.nodes for name in node.output}
        for node in self.nodes:
            held = node.attribute and node.output and node.attribute[0].HasField("t")
            if node.op_type == "Constant" and held:
                self.weights[node.output[0]] = node.attribute[0].t

    def makers(self, node: onnx.NodeProto, kind: str) -> Iterator[onnx.NodeProto]:
        """Yield the nodes of this kind that make the node's inputs."""
        found = (self._makers.get(name) for name in node.input)
        return (maker for maker in found if maker is not None and maker.op_type == kind)

    def is_deviation(self, node: onnx.NodeProto) -> bool:
        """Whether it takes the root of a spatial variance, as each decomposed norm does once."""
        if node.op_type not in ("Sqrt", "Pow"):
            return False
        sums = self.makers(node, "Add")
        return any(
            self._is_spatial(mean) for add in sums for mean in self.makers(add, "ReduceMean")
        )

    def _is_spatial(self, mean: onnx.NodeProto) -> bool:
        axes = next((set(entry.ints) for entry in mean.attribute if entry.name == "axes"), set())
        if len(mean.input) > 1 and mean.input[1] in self.weights:
            axes = set(_whole_numbers(self.weights[mean.input[1]]))
        return axes in _SPATIAL or (axes in _LAST and any(self.makers(mean, "Reshape")))


def _whole_numbers(tensor: onnx.TensorProto) -> list[int]:
    try:
        return [int(value) for value in proto.to_torch(tensor).flatten().tolist()]
    except UnreadableError:
        return []


def _kind(node: onnx.NodeProto) -> str:
    return shown(node.op_type if node.domain in proto.DOMAINS else f"{node.domain}.{node.op_type}")


def _shape(value: onnx.ValueInfoProto) -> list[int | str]:
    axes = value.type.tensor_type.shape.dim
    return [axis.dim_value if axis.dim_value > 0 else shown(axis.dim_param or "?") for axis in axes]


def _port(value: onnx.ValueInfoProto) -> dict[str, Any]:
    kind = proto.type_name(value.type.tensor_type.elem_type).lower()
    return {"name": shown(value.name), "type": kind, "shape": _shape(value)}


def _size(shapes: list[list[int | str]]) -> str:
    """Describe the picture size of the first input with four axes."""
    shape = next((shape for shape in shapes if len(shape) == 4), None)
    if shape is None:
        return "no picture"
    # Channels are the second axis, or the last in models from TensorFlow.
    height, width = shape[1:3] if shape[3] == 3 and shape[1] != 3 else shape[2:4]
    if isinstance(height, int) and isinstance(width, int):
        return f"fixed, {height}x{width}"
    return "any" if isinstance(height, str) and isinstance(width, str) else f"{height}x{width}"


def _weights(graph: _Graph) -> dict[str, dict[str, int]]:
    """Count tensors, values and bytes by type, except the integers that are sizes and axes."""
    found: dict[str, dict[str, int]] = {}
    for tensor in graph.weights.values():
        kind = proto.type_name(tensor.data_type)
        if kind in ("INT64", "BOOL", "STRING"):
            continue
        entry = found.setdefault(kind.lower(), {"tensors": 0, "values": 0, "bytes": 0})
        values = _count(tensor)
        entry["tensors"] += 1
        entry["values"] += values
        entry["bytes"] += -(-values * _BITS.get(kind, 8) // 8)
    return found


def _count(tensor: onnx.TensorProto) -> int:
    """Return the number of values by the tensor's shape, or 0 if the shape is invalid.

    The product of hundreds of sides would be too large to print.
    """
    sides = tensor.dims
    return math.prod(sides) if len(sides) <= _MOST_AXES and min(sides, default=0) >= 0 else 0


def _precision(graph: _Graph) -> str:
    """Describe the arithmetic, by the quantisers or else the types of the larger weights."""
    quantised = {_quantised_to(graph, node) for node in graph.nodes} - {None}
    if quantised:
        return " and ".join(sorted(f"{kind} Q/DQ" for kind in quantised if kind))
    if any(node.op_type.startswith(_INTEGER_KERNELS) for node in graph.nodes):
        return "int8"
    kinds = Counter(
        proto.type_name(tensor.data_type)
        for tensor in graph.weights.values()
        if len(tensor.dims) > 1
    )
    known = [f"{_PRECISIONS[kind]} {n}" for kind, n in kinds.most_common() if kind in _PRECISIONS]
    if len(known) < 2:
        return known[0].split()[0] if known else "no weights"
    return f"mixed ({', '.join(known)} weights)"


def _quantised_to(graph: _Graph, node: onnx.NodeProto) -> str | None:
    """Return a quantiser's type, such as ``int8`` or ``fp8``: it is that of its zero point."""
    if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
        return None
    zero = graph.weights.get(node.input[2]) if len(node.input) > 2 else None
    kind = proto.type_name(zero.data_type) if zero is not None else "UINT8"
    if kind.startswith("FLOAT8"):
        return "fp8"
    return f"int{_BITS.get(kind, 8)}"


def _read_as(path: Path) -> str:
    try:
        net = load(path)
    except CheckpointError as error:
        reason = str(error).removeprefix(f"{path}: ").removeprefix(f"{UNREADABLE}: ")
        return f"not read, because {reason}"
    card, contract = net.origin.card, net.contract
    ranges = f"values in {card['input']}, out {card['output']}, channels {card['channels']}"
    return (
        f"reads it as a style net of any size from {contract.smallest_side} pixels a side, "
        f"which come back as multiples of {contract.size_multiple}; {ranges}"
    )
