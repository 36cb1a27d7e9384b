"""The exporter to web pages."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from sttk.exporters.base import Exporter, ExportRequest, Int8, Product
from sttk.exporters.web.options import WebOptions


def _make(request: ExportRequest[WebOptions], folder: Path) -> Product:
    from sttk.exporters.web.export import export

    return export(request, folder)


def _make_part(request: ExportRequest[WebOptions], folder: Path) -> Product:
    from sttk.exporters.web.part import export

    return export(request, folder)


def _default_styles(options: WebOptions) -> tuple[str, WebOptions]:
    """Return the default styles of a page: small nets, as browsers are slow."""
    from sttk.toolkit import styles

    first, *_ = shipped = styles.small_of_each()
    offers = tuple(dict.fromkeys([*options.offers, *shipped]))
    return first, dataclasses.replace(options, offers=offers)


EXPORTER = Exporter(
    _make,
    WebOptions,
    precisions=("fp32", "fp16", "int8"),
    kinds=("any", "fixed"),
    int8=Int8(),
    rewrites=("phase-upsample", "wide-head"),
    float32_boundary=("fp16",),
    default_styles=_default_styles,
)
# The exporter of one style within a page.
PART = dataclasses.replace(EXPORTER, make=_make_part)
