"""The exports of one benchmark, all in one process.

They share what they have in common: a net is loaded once, traced once for all targets that go
through ONNX, and calibrated once. The process can be ended when time is up.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from sttk.exporters.artifact import make_entry
from sttk.exporters.base import ExportRequest
from sttk.exporters.plans import usual_plan
from sttk.toolkit import styles
from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.shapes import Shapes, Size
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.regimes import shipped_photos


class Exports:
    """What exports models.

    Args:
        root: the folder to write them below.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def export(
        self, style: str, target: str, precision: Precision, size: Size, batch: int = 1
    ) -> Path:
        """Export a style, named as for ``sttk.toolkit.styles.find``; return its model.

        int8 is calibrated on one photograph, in all its degraded forms: other scales give other
        pictures in the same time.

        Raises:
            SttkError: it cannot be exported so.
        """
        photos = tuple(shipped_photos()[:1])
        net, shapes = _found(style), Shapes.fixed(*size, batch)
        plan = usual_plan(target, net, precision)
        request: ExportRequest[Any] = ExportRequest(net, plan, shapes, calibration=photos)
        # An artifact's name does not tell its batch.
        made = make_entry(target, request, self._root / str(batch))
        return made.folder / made.manifest.model


# By identity the exporters know what they have traced and calibrated.
@lru_cache(maxsize=8)
def _found(style: str) -> StyleNet:
    return styles.find(style)
