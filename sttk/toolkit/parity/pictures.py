"""The pictures of a report: small ones of every input, and a heat map of each that failed."""

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

_LONGEST = 256  # pixels of a preview
_QUALITY = 85


@dataclass(frozen=True)
class Exhibit:
    """One row's small pictures, as the bytes of files: the arrays are gone by then.

    Attributes:
        taken: the input; JPEG, as are the next two.
        wanted: what the reference makes of it, or None where it was not asked.
        made: what the candidate makes of it, or None where that is no picture.
        apart: PNG heat map of the difference, or None where the two cannot be compared.
        number: of a batch, the picture that this is, from 1; else 0.
    """

    taken: bytes
    wanted: bytes | None
    made: bytes | None
    apart: bytes | None
    number: int


class Gallery:
    """A observer that keeps an exhibit of every row, in their order."""

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
    """A observer that writes ``NAME OF INPUT.png``, in full size, for each row that failed.

    Args:
        folder: of one candidate.
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
    """The arrays of one picture, of a batch the one that is furthest off: (3, H, W), (H, W)."""

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
    """Of (3, H, W) in 0..255; what is no number is black."""
    rgb = to_bytes(np.nan_to_num(picture.transpose(1, 2, 0), nan=0.0))
    image = Image.fromarray(rgb)
    image.thumbnail((_LONGEST, _LONGEST), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=_QUALITY)
    return buffer.getvalue()
