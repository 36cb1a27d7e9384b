"""The exporter to TensorRT engines."""

from __future__ import annotations

from pathlib import Path

from sttk.exporters.base import Exporter, ExportRequest, Int8, Product
from sttk.exporters.trt.options import TensorrtOptions


def _make(request: ExportRequest[TensorrtOptions], folder: Path) -> Product:
    from sttk.exporters.trt.export import export

    return export(request, folder)


EXPORTER = Exporter(
    _make,
    TensorrtOptions,
    precisions=("fp32", "fp16", "int8", "fp8"),
    kinds=("fixed", "range"),
    int8=Int8(zero_points=False),
)
