"""The pictures of a report: previews of every input, and a heat map of each failed one."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sttk.toolkit.imaging.images import to_bytes
from sttk.toolkit.io.files import write_atomic
from sttk.toolkit.io.text import file_name
from sttk.toolkit.parity import heat, judge
from sttk.toolkit.parity.metrics import Array
from sttk.toolkit.parity.observer import Observation
from sttk.toolkit.parity.show import title

_LONGEST = 256  # pixels of a preview's longer side
_QUALITY = 85


@dataclass(frozen=True)
class Exhibit:
    """The previews of one row as encoded image files; the arrays are not kept.

    Attributes:
        taken: the input, a JPEG.
        wanted: the reference's output, a JPEG, or None where it was not computed.
        made: the candidate's output, a JPEG, or None where it is not a picture.
        apart: a heat map of the difference, a PNG, or None where the two cannot be compared.
        number: the picture's number within its batch, from 1; 0 if the batch has only one.
    """

    taken: bytes
    wanted: bytes | None
    made: bytes | None
    apart: bytes | None
    number: int


class Gallery:
    """An observer that keeps an exhibit of every row, in order."""

    def __init__(self) -> None:
        self.exhibits: list[Exhibit] = []

    def __call__(self, seen: Observation) -> None:
        """See :data:`Observer`."""
        look = _look(seen)
        apart = None if look.apart is None else heat.pooled(look.apart, _LONGEST)
        self.exhibits.append(
            Exhibit(
                _jpeg(look.taken),
                None if look.wanted is None else _jpeg(look.wanted),
                None if look.made is None else _jpeg(look.made),
                None if apart is None else heat.to_png(heat.to_image(apart)),
                look.index + 1 if len(seen.sample.batch) > 1 else 0,
            )
        )


class HeatMaps:
    """An observer that writes a full-size heat map, ``NAME OF INPUT.png``, for each failed row.

    Args:
        folder: the folder for one candidate's heat maps.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, seen: Observation) -> None:
        """See :data:`Observer`. Raises OSError."""
        apart = None if seen.row.passed else _look(seen).apart
        if apart is not None:
            image = heat.with_legend(heat.to_image(apart))
            name = file_name(title(seen.row))
            write_atomic(self._folder / f"{name}.png", heat.to_png(image))


@dataclass(frozen=True, eq=False)
class _Look:
    """The arrays of one picture, the worst of its batch: pictures (3, H, W), ``apart`` (H, W)."""

    index: int
    taken: Array
    wanted: Array | None = None
    made: Array | None = None
    apart: Array | None = None


def _look(seen: Observation) -> _Look:
    batch, output = seen.sample.batch, seen.output
    if output is None or output.ndim != 4 or output.shape[1] != 3:
        return _Look(0, batch[0])
    if seen.row.rung == judge.FINITE:  # the reference was not run in float64 for it
        return _Look(0, batch[0], made=output[0])
    wanted = seen.answer.exact
    if output.shape != wanted.shape:
        return _Look(0, batch[0], wanted[0], output[0])
    apart = heat.distance(output, wanted)
    worst = int(np.nan_to_num(apart, nan=np.inf).max(axis=(1, 2)).argmax())
    return _Look(worst, batch[worst], wanted[worst], output[worst], apart[worst])


def _jpeg(picture: Array) -> bytes:
    """Encode a preview of a picture, (3, H, W) in 0..255; NaN becomes black."""
    rgb = to_bytes(np.nan_to_num(picture.transpose(1, 2, 0), nan=0.0))
    image = Image.fromarray(rgb)
    image.thumbnail((_LONGEST, _LONGEST), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=_QUALITY)
    return buffer.getvalue()
