"""LiteRT (TensorFlow Lite): ``.tflite`` files, channels last, written from the ONNX graph.

They are written here rather than by LiteRT's converter of torch programs, for three reasons: that
one and Core ML's cannot be installed in one environment (typing-extensions); it wraps each instance
norm in transposes; and it does not know the quantisers that int8 is compared with. A style net has
some ten operations.

fp16 only concerns the weights: a CPU's kernels widen them, a GPU's compute in the precision that
the app sets.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sttk.exporters.base import FLOAT32, ExportRequest, Product
from sttk.exporters.litert import net_ops, plain_ops
from sttk.exporters.litert.flat import Flat
from sttk.exporters.litert.lower import lower
from sttk.exporters.onnx import export as onnx
from sttk.exporters.onnx.options import GraphOptions
from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.errors import ExportError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.io.streams import quiet_stderr
from sttk.toolkit.precision import cast
from sttk.toolkit.targets.litert import TARGET

if TYPE_CHECKING:
    import ai_edge_litert
    from ai_edge_litert import interpreter as litert
else:
    ai_edge_litert = Lazy("ai_edge_litert", "litert")
    litert = Lazy("ai_edge_litert.interpreter", "litert")

MODEL = TARGET.model
OPERATIONS = (plain_ops, net_ops)  # imported for the handlers that they register
# For a model of any size: the size whose shapes are written, and one to find the axes that change.
_SIZE, _OTHER = (256, 256), (320, 384)


def export(request: ExportRequest[GraphOptions], folder: Path) -> Product:
    """See :class:`Exporter`."""
    tools = {**onnx.tool_versions(), "ai_edge_litert": ai_edge_litert.__version__}
    flat = Flat(f"style {request.net.origin.name}, RGB, 0 to 255")
    lower(onnx.graph(_in_fp32(request)), flat, "fp16" in request.plan.precisions)
    sizes = (request.shapes.only,) if request.shapes.only else (_SIZE, _OTHER)
    try:
        _fill_shapes(flat, [size for size in sizes if size])
    except (RuntimeError, ValueError) as error:
        raise ExportError(f"LiteRT: {' '.join(str(error).split())[:300]}") from error
    (folder / MODEL).write_bytes(flat.to_bytes())
    return Product(MODEL, tools, onnx.graph_options(request))


def _in_fp32(request: ExportRequest[GraphOptions]) -> ExportRequest[GraphOptions]:
    """Return the request with float32 arithmetic, but its quantisers and rounded weights."""
    if request.precision == "int8":
        wide: dict[str, Precision] = {name: "fp32" for name, _ in request.plan.blocks}
        return dataclasses.replace(request, plan=Plan.of_blocks("int8", wide))
    net = cast.cast_net(request.net, request.plan, cast.ON_DISK)
    return dataclasses.replace(request, net=net, plan=FLOAT32)


def _fill_shapes(flat: Flat, sizes: list[Size]) -> None:
    """Set every tensor's shape as LiteRT itself infers it: tools and GPU delegates read them."""
    found = [_shapes(flat, size) for size in sizes]
    for index, sides in found[0].items():
        differ = [a != b for a, b in zip(sides, found[-1][index], strict=True)]
        free = [-1 if each else side for each, side in zip(differ, sides, strict=True)]
        flat.shape(index, sides, free if any(differ) else None)


def _shapes(flat: Flat, size: Size) -> dict[int, list[int]]:
    model = litert.Interpreter(
        model_content=flat.to_bytes(),
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    source: dict[str, Any] = model.get_input_details()[0]
    model.resize_tensor_input(source["index"], [1, *size, 3])
    with quiet_stderr():
        model.allocate_tensors()
    computed = set(flat.computed())
    return {
        each["index"]: np.asarray(each["shape"]).tolist()
        for each in model.get_tensor_details()
        if each["index"] in computed
    }
