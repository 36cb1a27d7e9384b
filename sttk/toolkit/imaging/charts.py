"""Charts: matplotlib figures, each on its own canvas."""

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

_DPI = 120
# The palette of Okabe and Ito, whose colours the colour-blind can tell apart.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def check_charts() -> None:
    """Raise MissingExtraError if matplotlib is not installed."""
    _ = figure.Figure


def blank(inches: tuple[float, float]) -> Any:
    """Return an empty figure of this width and height in inches."""
    return figure.Figure(figsize=inches, dpi=_DPI, layout="constrained")


def write_png(page: Any, path: Path) -> None:
    """Write the figure as PNG, atomically."""
    write_atomic(path, png(page))


def png(page: Any) -> bytes:
    """Return the figure as the bytes of a PNG file."""
    written = io.BytesIO()
    backend_agg.FigureCanvasAgg(page).print_png(
        written, metadata={"Software": "sttk"}, pil_kwargs={}
    )
    return written.getvalue()


def svg(page: Any) -> str:
    """Return the figure as SVG text to embed in a page, without a date or an XML prologue."""
    written = io.StringIO()
    backend_svg.FigureCanvasSVG(page).print_svg(written, metadata={"Date": None, "Creator": "sttk"})
    text = written.getvalue()
    return text[text.index("<svg") :]
