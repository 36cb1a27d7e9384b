"""Reading of an untrusted ``.onnx`` file into a :class:`Graph`.

Every tensor is checked against the bytes that back it before memory is taken for it. Nested graphs
and functions are not supported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError, shown
from sttk.toolkit.checkpoints.onnx_graph.external import embed
from sttk.toolkit.checkpoints.onnx_graph.graph import Graph, Node
from sttk.toolkit.checkpoints.onnx_graph.order import in_order
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.io.files import read_bounded
from sttk.toolkit.io.recognise import recognise

if TYPE_CHECKING:
    import onnx
else:
    onnx = Lazy("onnx", "onnx")

_MOST_BYTES = 1 << 28  # style nets take 0.5 to 60 MB
_MOST_NODES = 20_000
_MOST_AXES = 8
_NEWEST_OPSET = 25
_ITEMS = {"FLOAT": 4, "DOUBLE": 8, "FLOAT16": 2, "INT64": 8, "INT32": 4, "BOOL": 1}
DOMAINS = ("", "ai.onnx")


def parse(path: Path) -> onnx.ModelProto:
    """Parse the file's protobuf message, without reading external weights.

    Raises:
        UnreadableError: the file is not ONNX, or is larger than a style net can be.
    """
    try:
        content = read_bounded(path, _MOST_BYTES)
    except (OSError, ValueError) as error:
        raise UnreadableError(str(error)) from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    # protobuf's DecodeError has moved between modules, and derives from Exception directly.
    except Exception as error:
        raise _no_onnx(path, "not an ONNX file") from error
    if not model.graph.node:
        raise _no_onnx(path, "not an ONNX file with a graph")
    _check_text(model)
    return model


def parse_whole(path: Path) -> onnx.ModelProto:
    """Parse the file's protobuf message, with the weights that lie in files beside it.

    Raises:
        UnreadableError: see :func:`parse` and :func:`external.embed`.
    """
    model = parse(path)
    embed(model, path.parent)
    return model


def _no_onnx(path: Path, otherwise: str) -> UnreadableError:
    """Return what the file is instead, if that is known."""
    kind = recognise(path)
    return (
        UnreadableError(f"not ONNX, but {kind.what}", kind.fix)
        if kind
        else UnreadableError(otherwise)
    )


def _check_text(model: onnx.ModelProto) -> None:
    """Check that strings are text: protobuf returns those that are not UTF-8 as bytes."""
    rest: list[Any] = [model]
    while rest:
        for field, value in rest.pop().ListFields():
            listed = isinstance(value, Sequence) and not isinstance(value, str | bytes)
            values = value if listed else [value]
            if field.type == field.TYPE_STRING and not all(isinstance(one, str) for one in values):
                raise UnreadableError(f"a {field.name} in it is no text")
            if field.type == field.TYPE_MESSAGE:
                rest += values


def opset(model: onnx.ModelProto) -> int:
    """Return the opset of ONNX's own operations; a file that states none uses the first."""
    versions = [entry.version for entry in model.opset_import if entry.domain in DOMAINS]
    return max(versions, default=1)


def read_graph(model: onnx.ModelProto, style: int | None) -> Graph:
    """Read the graph of a style net, with the style ``style`` chosen where it has several.

    Raises:
        UnreadableError: the graph is broken or not a style net, or its operations or weights are
            not supported.
    """
    graph, version = model.graph, opset(model)
    if not 1 <= version <= _NEWEST_OPSET:
        raise UnreadableError(f"opset {version}; sttk reads up to {_NEWEST_OPSET}")
    if len(graph.node) > _MOST_NODES:
        raise UnreadableError(f"{len(graph.node)} operations are more than {_MOST_NODES}")
    if graph.sparse_initializer:
        raise UnreadableError("it has sparse weights")
    constants = {tensor.name: to_torch(tensor) for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    picture = _picture(inputs)
    constants |= _chosen([value for value in inputs if value is not picture], style)
    if len(graph.output) != 1:
        raise UnreadableError(f"it has {len(graph.output)} outputs, not one picture")
    batch, _, height, width = _axes(picture)
    return Graph(
        nodes=in_order([_node(node, index) for index, node in enumerate(graph.node)]),
        constants=constants,
        picture=picture.name,
        output=graph.output[0].name,
        batch=batch or 1,
        size=(height, width),
        opset=version,
        metadata={entry.key.lower(): entry.value for entry in model.metadata_props},
        about=_about(model, version),
    )


def to_torch(tensor: onnx.TensorProto) -> Tensor:
    """Return the tensor as float32, int64 or bool.

    Raises:
        UnreadableError: the file does not hold all of its values, or they are not numbers.
    """
    name, dims = shown(tensor.name or "a constant"), list(tensor.dims)
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise UnreadableError(f"{name} lies in another file")
    kind = type_name(tensor.data_type)
    if kind not in _ITEMS:
        raise UnreadableError(f"{name} is of {kind}, not of floats or whole numbers")
    if len(dims) > _MOST_AXES or any(size < 0 for size in dims):
        raise UnreadableError(f"{name} has the shape {shown(dims)}")
    count = math.prod(dims)
    if not _is_backed(tensor, count, _ITEMS[kind]):
        raise UnreadableError(f"{name} has not the values that its shape {shown(dims)} needs")
    # Copied, because protobuf's array is read-only, and torch warns about that.
    values = torch.from_numpy(np.array(onnx.numpy_helper.to_array(tensor)))
    return widened(values)


def widened(values: Tensor) -> Tensor:
    """Convert to float32, int64 or bool, the types that everything here is computed in."""
    if values.is_floating_point():
        return values.float()
    return values if values.dtype == torch.bool else values.long()


def _is_backed(tensor: onnx.TensorProto, count: int, item: int) -> bool:
    if tensor.HasField("raw_data"):
        return len(tensor.raw_data) == count * item
    lists = (tensor.float_data, tensor.double_data, tensor.int64_data, tensor.int32_data)
    return sum(map(len, lists)) == count


def type_name(code: int) -> str:
    """Return the name of a type, such as ``FLOAT16``; ``type 99`` for an unknown one."""
    names = {value: name for name, value in onnx.TensorProto.DataType.items()}
    return str(names.get(code, f"type {code}"))


def _axes(value: onnx.ValueInfoProto) -> list[int | None]:
    """Return the sizes of an input's axes, None for free ones."""
    dims = value.type.tensor_type.shape.dim
    return [axis.dim_value if axis.dim_value > 0 else None for axis in dims]


def _picture(inputs: list[onnx.ValueInfoProto]) -> onnx.ValueInfoProto:
    """Return the one input that is a picture (N, 3, H, W)."""
    found = [value for value in inputs if len(_axes(value)) == 4]
    if len(found) != 1:
        raise UnreadableError(f"it takes {_listed(inputs)}, not one picture (1, 3, H, W)")
    (picture,) = found
    axes, kind = _axes(picture), type_name(picture.type.tensor_type.elem_type)
    if axes[1] not in (3, None):
        raise UnreadableError(f"it takes {_listed(found)}, not a picture (1, 3, H, W)")
    if kind not in ("FLOAT", "FLOAT16"):
        raise UnreadableError(f"it takes a picture of {kind}, not of floats")
    return picture


def _listed(inputs: list[onnx.ValueInfoProto]) -> str:
    shapes = [
        f"{shown(value.name)} ({', '.join('?' if n is None else str(n) for n in _axes(value))})"
        for value in inputs
    ]
    return " and ".join(shapes[:4]) if shapes else "no input"


def _chosen(rest: list[onnx.ValueInfoProto], style: int | None) -> dict[str, Tensor]:
    """Return the style weights, the net's second input: 1 for the chosen style, else 0."""
    if not rest:
        if style is not None:
            raise UnreadableError("style= is given, and the file has but one style")
        return {}
    sizes = [size for size in _axes(rest[0]) if size != 1]
    count = sizes[0] if len(sizes) == 1 else None
    kind = type_name(rest[0].type.tensor_type.elem_type)
    if len(rest) > 1 or count is None or kind != "FLOAT" or count > 1 << 16:
        raise UnreadableError(f"beside the picture it takes {_listed(rest)}")
    if style is None or not 0 <= style < count:
        raise UnreadableError(
            f"{shown(rest[0].name)} weighs {count} styles",
            f"choose one: add #style=0 to the file's name, up to #style={count - 1}",
        )
    weights = torch.zeros([size or 1 for size in _axes(rest[0])])
    weights.view(-1)[style] = 1.0
    return {rest[0].name: weights}


def _node(node: onnx.NodeProto, index: int) -> Node:
    outputs = tuple(node.output)
    named = node.name or (outputs[0] if outputs else "") or f"number {index}"
    kind = node.op_type if node.domain in DOMAINS else f"{node.domain}.{node.op_type}"
    attributes = {entry.name: _attribute(entry) for entry in node.attribute}
    return Node(kind, named, tuple(node.input), outputs, attributes)


def _attribute(entry: onnx.AttributeProto) -> Any:
    """Return a number, string, list or tensor; None for a type that no supported operation has."""
    kinds = onnx.AttributeProto
    if entry.type == kinds.TENSOR:
        return to_torch(entry.t)
    if entry.type == kinds.STRING:
        return bytes(entry.s).decode("utf-8", "replace")
    if entry.type in (kinds.INT, kinds.FLOAT):
        return entry.i if entry.type == kinds.INT else entry.f
    if entry.type in (kinds.INTS, kinds.FLOATS):
        return list(entry.ints if entry.type == kinds.INTS else entry.floats)
    return None


def _about(model: onnx.ModelProto, version: int) -> dict[str, Any]:
    producer = f"{model.producer_name} {model.producer_version}".strip()
    words = {"made by": producer, "says": model.graph.doc_string or model.doc_string}
    known = ("author", "license", "licence", "description")
    words |= {entry.key: entry.value for entry in model.metadata_props if entry.key in known}
    said = {key: shown(value, 200) for key, value in words.items() if value}
    return {"opset": version, **said}
