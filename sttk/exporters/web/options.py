"""The options of the exporter of web pages."""

from __future__ import annotations

from dataclasses import dataclass

from sttk.exporters.onnx.options import GraphOptions
from sttk.exporters.options import option


@dataclass(frozen=True)
class WebOptions(GraphOptions):
    """The options of the graphs, and the styles that the page offers.

    Attributes:
        offers: the page's further styles, named as for ``toolkit.styles.find``.
    """

    offers: tuple[str, ...] = option(
        (), "a further style; repeatable.", "--offer", multiple=True, metavar="STYLE"
    )
