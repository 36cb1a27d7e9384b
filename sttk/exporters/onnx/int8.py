"""Storage of a Q/DQ graph's weights as int8 numbers: a quarter of the size, the same graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.quantize.affine import HIGHEST, LOWEST

if TYPE_CHECKING:
    import onnx
else:
    onnx = Lazy("onnx", "onnx")


def store_weights_as_int8(model: onnx.ModelProto) -> None:
    """Carry out, in place, each QuantizeLinear (axis 0, zero points 0) of an initializer."""
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    done = [n for n in graph.node if n.op_type == "QuantizeLinear" and n.input[0] in constants]
    for node in done:
        weight, scales = (onnx.numpy_helper.to_array(constants[name]) for name in node.input[:2])
        quantized = _quantize(weight, scales)
        graph.initializer.append(onnx.numpy_helper.from_array(quantized, node.output[0]))
        graph.node.remove(node)
    _drop_unused(graph)


def _quantize(
    weight: npt.NDArray[np.float32], scales: npt.NDArray[np.float32]
) -> npt.NDArray[np.int8]:
    """Round (D, C, K, K) float32, with a scale for each of D, to int8, ties to even as in ONNX."""
    per_channel = scales.reshape(-1, *([1] * (weight.ndim - 1)))
    quantized: npt.NDArray[np.int8] = np.clip(
        np.rint(weight / per_channel), LOWEST, HIGHEST
    ).astype(np.int8)
    return quantized


def _drop_unused(graph: onnx.GraphProto) -> None:
    used = {name for node in graph.node for name in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)
