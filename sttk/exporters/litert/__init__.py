"""The exporter to LiteRT."""

from __future__ import annotations

from pathlib import Path

from sttk.exporters.base import Exporter, ExportRequest, Int8, Product
from sttk.exporters.onnx.options import GraphOptions


def _make(request: ExportRequest[GraphOptions], folder: Path) -> Product:
    from sttk.exporters.litert.export import export

    return export(request, folder)


EXPORTER = Exporter(
    _make,
    GraphOptions,
    precisions=("fp32", "fp16", "int8"),
    kinds=("fixed", "any"),
    int8=Int8(outputs=True),
    rewrites=("phase-upsample", "wide-head"),
    halves_arithmetic=False,
    folds_float32=True,
)
