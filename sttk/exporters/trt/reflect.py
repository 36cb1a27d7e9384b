"""A check of reflect pads on the smallest picture: a pad must be smaller than the reflected side.

TensorRT does not check that: at a size that is too small, its engine gives wrong results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sttk.toolkit.core.errors import ExportError, UsageError
from sttk.toolkit.core.shapes import Size, text
from sttk.toolkit.host.optional import Lazy

if TYPE_CHECKING:
    import onnx
else:
    onnx = Lazy("onnx", "onnx")


def check_reflect_pads(model: onnx.ModelProto, size: Size) -> None:
    """Infer the graph's shapes at ``size`` and check every reflect pad against them.

    Raises:
        UsageError: a pad is not smaller than the height or width that it reflects.
        ExportError: the shape or the pad cannot be found from the graph.
    """
    graph = _sized(model, size).graph
    shapes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info)
    }
    constants = _constants(graph)
    for node in graph.node:
        if node.op_type == "Pad" and _attribute(node, "mode") == b"reflect":
            _check(node, shapes.get(node.input[0]), constants, size)


def _sized(model: onnx.ModelProto, size: Size) -> onnx.ModelProto:
    """Return a copy with a fixed picture size and the shapes that follow from it."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    axes = copy.graph.input[0].type.tensor_type.shape.dim
    for axis, length in zip(axes[2:], size, strict=True):
        axis.Clear()
        axis.dim_value = length
    return onnx.shape_inference.infer_shapes(copy, data_prop=True)


def _constants(graph: onnx.GraphProto) -> dict[str, list[int]]:
    """Return the graph's integer constants, which include pads and axes."""
    nodes = (node for node in graph.node if node.op_type == "Constant")
    tensors = {node.output[0]: _attribute(node, "value") for node in nodes}
    tensors |= {weight.name: weight for weight in graph.initializer}
    return {
        name: onnx.numpy_helper.to_array(tensor).reshape(-1).tolist()
        for name, tensor in tensors.items()
        if tensor is not None and tensor.data_type == onnx.TensorProto.INT64
    }


def _attribute(node: onnx.NodeProto, name: str) -> Any:
    found = (item for item in node.attribute if item.name == name)
    return next((onnx.helper.get_attribute_value(item) for item in found), None)


def _check(
    node: onnx.NodeProto, shape: list[int] | None, constants: dict[str, list[int]], size: Size
) -> None:
    pads = constants.get(node.input[1])
    if not shape or pads is None:
        raise ExportError(f"{node.name}: the graph does not tell what this reflect pad adds")
    named = len(node.input) > 3 and node.input[3]
    axes = constants.get(node.input[3], []) if named else range(len(shape))
    half = len(pads) // 2
    for axis, before, after in zip(axes, pads[:half], pads[half:], strict=True):
        pad, length = max(before, after), shape[axis]
        if pad > 0 and length == 0:
            raise ExportError(f"{node.name}: the graph does not tell what this reflect pad is of")
        if pad >= length > 0:
            raise UsageError(
                f"size {text(size)}: {node.name} would reflect {pad} pixels of {length}",
                fix="ask for a larger size",
            )
