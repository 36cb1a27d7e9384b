"""What can be said to the exporter of web pages."""

from __future__ import annotations

from dataclasses import dataclass

from sttk.exporters.onnx.options import GraphOptions
from sttk.exporters.options import option


@dataclass(frozen=True)
class WebOptions(GraphOptions):
    """How the graphs are made, and which styles the page offers.

    Attributes:
        offers: further styles of the page, named as for ``toolkit.styles.find``.
    """

    offers: tuple[str, ...] = option(
        (), "a further style; repeatable.", "--offer", multiple=True, metavar="STYLE"
    )
