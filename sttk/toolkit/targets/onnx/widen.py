"""A float16 ONNX graph, converted to float32 arithmetic with the same weights.

The error of float16 comes partly from the weights, which are in the file, and partly from the sums,
which are up to the device. If every float16 tensor is made float32, only the file's part is left:
that separates a fault in the graph, however small, from rounding.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sttk.toolkit.core.errors import ArtifactError, MissingExtraError
from sttk.toolkit.host.optional import Lazy

if TYPE_CHECKING:
    import onnx
else:
    onnx = Lazy("onnx", "onnx")

# Attributes that name a type, of Cast and of operations that create tensors.
_TYPES = ("to", "dtype", "output_dtype")


def widened(file: Path) -> bytes:
    """Return the model in ``file`` with every float16 tensor made float32, with the same values.

    Raises:
        ArtifactError: the file is not an ONNX model.
    """
    try:
        model = onnx.load(file)
        _widen_graph(model.graph)
        for function in model.functions:
            _widen_nodes(function.node)
    except MissingExtraError:
        raise
    # protobuf has a DecodeError of its own, and a tensor may be stored outside the file.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ArtifactError(f"{file}: not an ONNX model: {reason}") from error
    serialized: bytes = model.SerializeToString()
    return serialized


def _widen_graph(graph: Any) -> None:
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    for value in (*graph.input, *graph.output, *graph.value_info):
        described = value.type.tensor_type
        described.elem_type = _wide(described.elem_type)
    _widen_nodes(graph.node)


def _widen_nodes(nodes: Any) -> None:
    for node in nodes:
        for attribute in node.attribute:
            _widen_attribute(attribute)


def _widen_attribute(attribute: Any) -> None:
    if attribute.name in _TYPES:
        attribute.i = _wide(attribute.i)
    for tensor in (attribute.t, *attribute.tensors):
        _widen_tensor(tensor)
    for graph in (attribute.g, *attribute.graphs):
        _widen_graph(graph)


def _widen_tensor(tensor: Any) -> None:
    if tensor.data_type == onnx.TensorProto.FLOAT16:
        values = onnx.numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def _wide(kind: int) -> int:
    return onnx.TensorProto.FLOAT if kind == onnx.TensorProto.FLOAT16 else kind
