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
        input: the input, a JPEG.
        reference: the reference's output, a JPEG, or None where it was not computed.
        output: the candidate's output, a JPEG, or None where it is not a picture.
        heat_map: a heat map of the difference, a PNG, or None where the two cannot be compared.
        number: the picture's number within its batch, from 1; 0 if the batch has only one.
    """

    input: bytes
    reference: bytes | None
    output: bytes | None
    heat_map: bytes | None
    number: int


class Gallery:
    """An observer that keeps an exhibit of every row, in order."""

    def __init__(self) -> None:
        self.exhibits: list[Exhibit] = []

    def __call__(self, observation: Observation) -> None:
        """See :data:`Observer`."""
        worst = _worst(observation)
        error = None if worst.error is None else heat.pooled(worst.error, _LONGEST)
        self.exhibits.append(
            Exhibit(
                _jpeg(worst.input),
                None if worst.reference is None else _jpeg(worst.reference),
                None if worst.output is None else _jpeg(worst.output),
                None if error is None else heat.to_png(heat.to_image(error)),
                worst.index + 1 if len(observation.sample.batch) > 1 else 0,
            )
        )


class HeatMaps:
    """An observer that writes a full-size heat map, ``NAME OF INPUT.png``, for each failed row.

    Args:
        folder: the folder for one candidate's heat maps.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, observation: Observation) -> None:
        """See :data:`Observer`. Raises OSError."""
        error = None if observation.row.passed else _worst(observation).error
        if error is not None:
            image = heat.with_legend(heat.to_image(error))
            name = file_name(title(observation.row))
            write_atomic(self._folder / f"{name}.png", heat.to_png(image))


@dataclass(frozen=True, eq=False)
class _Picture:
    """The arrays of one picture, the worst of its batch: pictures (3, H, W), error (H, W)."""

    index: int
    input: Array
    reference: Array | None = None
    output: Array | None = None
    error: Array | None = None


def _worst(observation: Observation) -> _Picture:
    batch, output = observation.sample.batch, observation.output
    if output is None or output.ndim != 4 or output.shape[1] != 3:
        return _Picture(0, batch[0])
    if observation.row.rung == judge.FINITE:  # the reference was not run in float64 for it
        return _Picture(0, batch[0], output=output[0])
    reference = observation.answer.exact
    if output.shape != reference.shape:
        return _Picture(0, batch[0], reference[0], output[0])
    error = heat.distance(output, reference)
    index = int(np.nan_to_num(error, nan=np.inf).max(axis=(1, 2)).argmax())
    return _Picture(index, batch[index], reference[index], output[index], error[index])


def _jpeg(picture: Array) -> bytes:
    """Encode a preview of a picture, (3, H, W) in 0..255; NaN becomes black."""
    rgb = to_bytes(np.nan_to_num(picture.transpose(1, 2, 0), nan=0.0))
    image = Image.fromarray(rgb)
    image.thumbnail((_LONGEST, _LONGEST), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=_QUALITY)
    return buffer.getvalue()
