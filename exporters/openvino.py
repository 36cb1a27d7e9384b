"""OpenVINO IR, ``model.xml`` and ``model.bin``, from the same ONNX graph as the onnx target.

fp16 is the precision of the weights on disk: what the arithmetic is done in is the runtime's choice
(``--inference-precision``). int8 is the Q/DQ graph, which OpenVINO turns into int8 kernels.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING

from exporters import onnx
from exporters.base import Product, Request
from toolkit.contract import Precision
from toolkit.errors import ExportError
from toolkit.lazy import Lazy

if TYPE_CHECKING:
    import openvino
else:
    openvino = Lazy("openvino", "openvino")

PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")
KINDS = ("fixed", "any", "range")
OPTIONS = onnx.OPTIONS
ZERO_POINTS = True
LEAST_SCALE = 0.0
MODEL = "model.xml"


def export(request: Request, folder: Path) -> Product:
    """See :class:`exporters.base.Exporter`."""
    tools = {**onnx.tool_versions(), "openvino": openvino.get_version()}
    in_float = request if request.precision == "int8" else _in_fp32(request)
    graph = onnx.graph(in_float).SerializeToString()
    try:
        model = openvino.Core().read_model(graph)
        _rename(model)
        openvino.save_model(model, folder / MODEL, compress_to_fp16=request.precision == "fp16")
    except RuntimeError as error:
        raise ExportError(f"OpenVINO: {' '.join(str(error).split())[:300]}") from error
    return Product(MODEL, tools, onnx.graph_options(request))


def _rename(model: openvino.Model) -> None:
    """Number what OpenVINO named by itself from 0: it counts on through the life of a process."""
    for index, operation in enumerate(model.get_ordered_ops()):
        kind = operation.get_type_name()
        if re.fullmatch(rf"{kind}_\d+", operation.get_friendly_name()):
            operation.set_friendly_name(f"{kind}_{index}")


def _in_fp32(request: Request) -> Request:
    return dataclasses.replace(request, precision="fp32")
