"""The exporter to ncnn."""

from __future__ import annotations

from pathlib import Path

from sttk.exporters.base import Exporter, ExportRequest, Int8, Product
from sttk.exporters.options import Options


def _make(request: ExportRequest[Options], folder: Path) -> Product:
    from sttk.exporters.ncnn.export import export

    return export(request, folder)


EXPORTER = Exporter(
    _make,
    Options,
    precisions=("fp32", "fp16", "int8"),
    kinds=("fixed", "any"),
    int8=Int8(zero_points=False, lowest=-127),  # ncnn saturates at -127
    rewrites=("phase-upsample", "wide-head"),
    halves_arithmetic=False,
)
