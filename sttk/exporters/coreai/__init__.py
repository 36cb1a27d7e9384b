"""The exporter to Core AI."""

from __future__ import annotations

from pathlib import Path

from sttk.exporters.base import Exporter, ExportRequest, Product
from sttk.exporters.options import Options


def _make(request: ExportRequest[Options], folder: Path) -> Product:
    from sttk.exporters.coreai.export import export

    return export(request, folder)


EXPORTER = Exporter(
    _make,
    Options,
    # No ranges: the package cannot store their bounds, and would take any size.
    precisions=("fp16", "fp32"),
    kinds=("fixed", "any", "enumerated"),
)
