"""OpenVINO IR, ``model.xml`` and ``model.bin``, from the same ONNX graph as the onnx target.

fp16 is the precision of the weights on disk: the runtime chooses the arithmetic
(``--inference-precision``). int8 is the Q/DQ graph, which OpenVINO turns into int8 kernels. A plan
sets both for each block: which weights are in float16, and which convolutions have quantisers.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from sttk.exporters.base import FLOAT32, ExportRequest, Product
from sttk.exporters.onnx import export as onnx
from sttk.exporters.onnx.options import GraphOptions
from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.errors import ExportError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.targets.openvino import TARGET

if TYPE_CHECKING:
    import openvino
else:
    openvino = Lazy("openvino", "openvino")

MODEL = TARGET.model


def export(request: ExportRequest[GraphOptions], folder: Path) -> Product:
    """See :class:`Exporter`."""
    tools = {**onnx.tool_versions(), "openvino": openvino.get_version()}
    graph = onnx.graph(_in_fp32(request)).SerializeToString()
    try:
        model = openvino.Core().read_model(graph)
        _rename(model)
        if request.plan.blocks:
            _halve_weights(model, request)
        half = request.precision == "fp16" and not request.plan.blocks
        openvino.save_model(model, folder / MODEL, compress_to_fp16=half)
    except RuntimeError as error:
        # OpenVINO says no more about a full disk.
        full = "is the disk full?" if "iostream error" in str(error) else None
        raise ExportError(f"OpenVINO: {' '.join(str(error).split())[:300]}", fix=full) from error
    return Product(MODEL, tools, onnx.graph_options(request))


def _rename(model: openvino.Model) -> None:
    """Renumber OpenVINO's generated names from 0: it counts on through the life of a process."""
    for index, operation in enumerate(model.get_ordered_ops()):
        kind = operation.get_type_name()
        if re.fullmatch(rf"{kind}_\d+", operation.get_friendly_name()):
            operation.set_friendly_name(f"{kind}_{index}")


def _in_fp32(request: ExportRequest[GraphOptions]) -> ExportRequest[GraphOptions]:
    """Return the request with float32 arithmetic, but its quantisers."""
    if request.precision == "int8":
        wide: dict[str, Precision] = {name: "fp32" for name, _ in request.plan.blocks}
        return dataclasses.replace(request, plan=Plan.of_blocks("int8", wide))
    return dataclasses.replace(request, plan=FLOAT32)


def _halve_weights(model: openvino.Model, request: ExportRequest[GraphOptions]) -> None:
    """Store the weights that the plan has in fp16 as float16; OpenVINO widens them when it loads.

    OpenVINO's own compression converts all weights or none.

    Raises:
        ExportError: a convolution's weights are not in the graph under their name.
    """
    halves = {
        f"{name}.{parameter}"
        for name, module in request.net.named_modules()
        for parameter, _ in module.named_parameters(recurse=False)
        if request.plan.of(name) == "fp16"
    }
    constants = {
        operation.get_friendly_name(): operation
        for operation in model.get_ordered_ops()
        if operation.get_type_name() == "Constant"
    }
    for name in sorted(halves & constants.keys()):
        _halve(constants[name], name)
    convolutions = {f"{name}.weight" for name, _ in _convolutions(request.net)}
    if lost := sorted((halves & convolutions) - constants.keys()):
        raise ExportError(
            f"{lost[0]} is not in the graph: another weight was folded into it",
            fix="pass --no-simplify",
        )


def _convolutions(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    return ((name, module) for name, module in net.named_modules() if isinstance(module, kinds))


def _halve(constant: Any, name: str) -> None:
    ops = openvino.opset13
    half = ops.constant(constant.data.astype(np.float16), name=f"{name}_compressed")
    widened = ops.convert(half, "f32", name=name)
    for reader in constant.output(0).get_target_inputs():
        reader.replace_source_output(widened.output(0))
