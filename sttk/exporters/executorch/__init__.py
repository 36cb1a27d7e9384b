"""The exporter to ExecuTorch."""

from __future__ import annotations

from pathlib import Path

from sttk.exporters.base import Exporter, ExportRequest, Int8, Product
from sttk.exporters.options import Options


def _make(request: ExportRequest[Options], folder: Path) -> Product:
    from sttk.exporters.executorch.export import export

    return export(request, folder)


EXPORTER = Exporter(
    _make,
    Options,
    precisions=("fp32", "fp16", "int8"),
    kinds=("fixed",),
    int8=Int8(outputs=True),
    rewrites=("transposed-upsample", "wide-head", "sliced-pads"),
    # On CPUs with float16 arithmetic, XNNPACK rounds a convolution's sum after each product.
    float32_boundary=("fp16",),
)
