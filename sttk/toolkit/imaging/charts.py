"""Charts: a matplotlib figure on a canvas of its own, which no other figure shares."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.io.files import write_atomic

if TYPE_CHECKING:
    from matplotlib import figure
    from matplotlib.backends import backend_agg, backend_svg
else:
    backend_svg = Lazy("matplotlib.backends.backend_svg", "charts")
    figure = Lazy("matplotlib.figure", "charts")
    backend_agg = Lazy("matplotlib.backends.backend_agg", "charts")

_DOTS = 120
# Okabe and Ito's, told apart by the colour-blind.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def check_charts() -> None:
    """Raises MissingExtraError where no chart can be drawn."""
    _ = figure.Figure


def blank(inches: tuple[float, float]) -> Any:
    """A figure of this width and height to draw on."""
    return figure.Figure(figsize=inches, dpi=_DOTS, layout="constrained")


def write_png(page: Any, path: Path) -> None:
    """Write what was drawn, whole or not at all."""
    write_atomic(path, png(page))


def png(page: Any) -> bytes:
    """What was drawn as the bytes of a PNG."""
    written = io.BytesIO()
    backend_agg.FigureCanvasAgg(page).print_png(
        written, metadata={"Software": "sttk"}, pil_kwargs={}
    )
    return written.getvalue()


def svg(page: Any) -> str:
    """What was drawn as SVG text, to be put into a page; no date, no address of a namespace."""
    written = io.StringIO()
    backend_svg.FigureCanvasSVG(page).print_svg(written, metadata={"Date": None, "Creator": "sttk"})
    text = written.getvalue()
    return text[text.index("<svg") :]
