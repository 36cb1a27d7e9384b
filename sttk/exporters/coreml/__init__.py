"""The exporter to Core ML packages."""

from __future__ import annotations

from pathlib import Path

from sttk.exporters.base import Exporter, ExportRequest, Int8, Product
from sttk.exporters.coreml.options import CoreMLOptions


def _make(request: ExportRequest[CoreMLOptions], folder: Path) -> Product:
    from sttk.exporters.coreml.export import export

    return export(request, folder)


EXPORTER = Exporter(
    _make,
    CoreMLOptions,
    precisions=("fp16", "fp32", "int8"),
    kinds=("fixed", "enumerated", "range"),
    int8=Int8(least_scale=2.0**-13),  # float16 has its full precision from 2**-14 on
    half_int8=True,
    # Arrays, like the outputs that they are compared with; the oldest system that has int8.
    searched=CoreMLOptions(deployment_target="iOS17", tensor_io=True),
)
