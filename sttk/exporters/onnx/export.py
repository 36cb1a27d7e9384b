"""ONNX, through ``torch.onnx.export(dynamo=True)``: weights inside the one file."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sttk.exporters.base import ExportRequest, Product
from sttk.exporters.onnx.int8 import store_weights_as_int8
from sttk.exporters.onnx.options import GraphOptions
from sttk.exporters.onnx.simplify import simplify
from sttk.toolkit.core.errors import ExportError, UsageError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.host.memory import check_fits
from sttk.toolkit.host.optional import Lazy, versions
from sttk.toolkit.io.streams import quiet_library
from sttk.toolkit.precision import cast
from sttk.toolkit.targets.onnx import TARGET

if TYPE_CHECKING:
    import onnx
else:
    onnx = Lazy("onnx", "onnx")

OPSETS = range(18, 24)
_FP8_OPSET = 21
MODEL = TARGET.model
_TOOLS = ("torch", "onnx", "onnxscript", "onnxsim", "onnxruntime")
INPUT, OUTPUT = "image", "stylized"
# torch.export specialises sizes of 1, and the trace must not be square, or it might confuse height
# and width; two different even sizes above any smallest side.
_TRACE_BATCH, _TRACE_SIZE = 2, (96, 128)


def export(request: ExportRequest[GraphOptions], folder: Path) -> Product:
    """See :class:`Exporter`."""
    tools = tool_versions()
    onnx.save_model(graph(request), folder / MODEL)
    return Product(MODEL, tools, graph_options(request))


def tool_versions() -> dict[str, str]:
    """Return the versions of the libraries that make the graph. Raises MissingExtraError."""
    return versions("onnx", *_TOOLS)


def graph_options(request: ExportRequest[GraphOptions]) -> dict[str, Any]:
    """Return how the graph is made, for the manifest."""
    return {"opset": _opset(request), "simplified": request.options.simplify}


def _opset(request: ExportRequest[GraphOptions]) -> int:
    default = _FP8_OPSET if request.precision == "fp8" else OPSETS[0]
    return default if request.options.opset is None else request.options.opset


def graph(request: ExportRequest[GraphOptions]) -> onnx.ModelProto:
    """Return the style net as a checked ONNX graph with input ``image`` and output ``stylized``.

    Raises:
        ExportError: see :class:`Exporter`.
    """
    read = GraphOptions(_opset(request), request.options.simplify)
    asked = ExportRequest(request.net, request.plan, request.shapes, read)
    return onnx.load_model_from_string(_built(asked))


@lru_cache(maxsize=4)
def _built(request: ExportRequest[GraphOptions]) -> bytes:
    """Build the graph; cached by what is read of a request, as several targets share a graph."""
    opset, least = _opset(request), _FP8_OPSET if request.precision == "fp8" else OPSETS[0]
    if opset not in OPSETS or opset < least:
        raise UsageError(
            f"opset {opset}: sttk exports {request.precision} in {least} to {OPSETS[-1]}"
        )
    if request.shapes.only:
        check_fits(*request.shapes.only)
    model = _trace(request)
    if request.options.simplify:
        model = simplify(model, _example(request.shapes).numpy(), request.precision)
    if request.precision == "int8":
        store_weights_as_int8(model)
    _tidy(model, request)
    _check(model)
    built: bytes = model.SerializeToString()
    return built


def _example(shapes: Shapes) -> Tensor:
    batch = shapes.batch or _TRACE_BATCH
    return (
        torch.rand(
            (batch, 3, *(shapes.only or _TRACE_SIZE)), generator=torch.Generator().manual_seed(0)
        )
        * 255
    )


def _trace(request: ExportRequest[GraphOptions]) -> onnx.ModelProto:
    net = cast.cast_net(request.net, request.plan)
    free = _free_axes(request.shapes)
    dynamic = (dict.fromkeys(free, torch.export.Dim.DYNAMIC),) if free else None
    try:
        with quiet_library():  # torch.onnx reports its own progress
            program = torch.onnx.export(
                net.eval(),
                (_example(request.shapes),),
                dynamo=True,
                opset_version=_opset(request),
                dynamic_shapes=dynamic,
                input_names=[INPUT],
                output_names=[OUTPUT],
                external_data=False,
                custom_translation_table=_translations(),
                verbose=False,
            )
    # torch.onnx raises exceptions of many kinds; whatever it is, the export failed.
    except Exception as error:
        raise ExportError(f"torch.onnx.export failed: {_brief(error)}") from error
    if program is None:
        raise ExportError("torch.onnx.export gave no program")
    return program.model_proto


def _translations() -> dict[Any, Any]:
    """Return the ONNX forms of sttk's own torch operations."""
    from onnxscript import opset19 as op  # noqa: PLC0415 (optional, and slow to import)

    def fake_float8(x: Any, scale: Any, axis: int) -> Any:
        zeros = op.Mul(scale, op.Constant(value_float=0.0))  # as many as there are scales
        zeros = op.Cast(zeros, to=onnx.TensorProto.FLOAT8E4M3FN)
        quantized = op.QuantizeLinear(x, scale, zeros, axis=axis)
        return op.DequantizeLinear(quantized, scale, zeros, axis=axis)

    return {torch.ops.sttk.fake_float8.default: fake_float8}


def _free_axes(shapes: Shapes) -> tuple[int, ...]:
    return (*((0,) if shapes.batch is None else ()), *(() if shapes.only else (2, 3)))


def _tidy(model: onnx.ModelProto, request: ExportRequest[GraphOptions]) -> None:
    """Name the free axes, and remove stack traces, which have this machine's paths.

    The same input then gives the same bytes on any machine.
    """
    model.producer_name, model.producer_version = "sttk", ""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for values in (model.graph.input, model.graph.output, model.graph.value_info):
        for value in values:
            del value.metadata_props[:]
    del model.graph.metadata_props[:], model.metadata_props[:]
    origin = request.net.origin
    facts = {"sttk.style": origin.name, "sttk.checkpoint.sha256": origin.sha256}
    onnx.helper.set_model_props(model, facts)
    if _free_axes(request.shapes):
        _name_axes(model.graph.input[0], ("batch", "3", "height", "width"))


def _name_axes(value: Any, names: tuple[str, ...]) -> None:
    for axis, name in zip(value.type.tensor_type.shape.dim, names, strict=True):
        if not axis.HasField("dim_value"):
            axis.dim_param = name


def _check(model: onnx.ModelProto) -> None:
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise ExportError(f"the exported model is not valid ONNX: {_brief(error)}") from error


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
