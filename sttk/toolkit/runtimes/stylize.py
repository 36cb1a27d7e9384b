"""Stylisation of a picture: it is padded for the net, run, cropped back and blended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import RunError, UsageError
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.host.memory import BYTES_PER_PIXEL, check_fits
from sttk.toolkit.imaging.images import Bytes, Floats, Picture, from_batch, to_batch, to_bytes
from sttk.toolkit.runtimes.base import Frugal, Runner


@dataclass(frozen=True)
class Look:
    """The look of the result: how strongly the style is applied.

    Attributes:
        strength: 0 returns the picture, 1 the net's output, values in between blend the two.
        preserve_color: keep the picture's colours and take only the luminance from the output.
    """

    strength: float = 1.0
    preserve_color: bool = False


@dataclass(frozen=True)
class Advice:
    """Advice for pictures that are too large, in terms of the command's options.

    Attributes:
        memory: the advice if the net's features do not fit into memory.
        size: the advice if the model takes no picture so large.
    """

    memory: str
    size: str


_PICTURES = Advice(
    "pass --tile 1024 to run it in tiles, or --max-size to scale it",
    "pass --max-size to scale the picture, or export with --dynamic",
)


def stylize(
    picture: Picture, runner: Runner, contract: Contract, look: Look | None = None
) -> Picture:
    """Return the picture in the style of the runner's net, with its size and alpha channel kept.

    Args:
        picture: a picture of any size.
        runner: a runtime with the net loaded.
        contract: the net's contract.
        look: the strength of the style; by default the net's output as it is.

    Raises:
        UsageError: the model has a fixed size and the picture is larger.
        ImageError: the net would need more memory than is available.
        RunError: the model fails, or returns NaN or infinity.
    """
    return stylize_batch([picture], runner, contract, look)[0]


def stylize_batch(
    pictures: Sequence[Picture], runner: Runner, contract: Contract, look: Look | None = None
) -> list[Picture]:
    """Stylise pictures of the same size in one batch; see :func:`stylize`.

    Raises:
        RunError: the model takes no batch of this size.
    """
    batch = np.concatenate([prepare(picture.rgb, runner, contract) for picture in pictures])
    outputs = runner.run(batch)
    return [
        Picture(finish(picture.rgb, outputs[index : index + 1], look or Look()), picture.alpha)
        for index, picture in enumerate(pictures)
    ]


def prepare(rgb: Bytes, runner: Runner, contract: Contract) -> Floats:
    """Convert a picture to the runner's input, padded to a size that its model takes.

    Args:
        rgb: (H, W, 3) uint8.
        runner: a runtime with the net loaded.
        contract: the net's contract.

    Returns:
        (1, 3, H', W') float32 in 0..255.

    Raises:
        UsageError: the model has a fixed size and the picture is larger.
        ImageError: the net would need more memory than is available.
    """
    return Preparing(runner, contract, _PICTURES)(rgb)


class Preparing:
    """A version of :func:`prepare` for sequences of pictures, such as the frames of a video.

    Memory is checked only once for each size: after the first run, the memory that the runtime
    keeps no longer counts as available.

    Args:
        runner: a runtime with the net loaded.
        contract: the net's contract.
        advice: the advice given with errors.
    """

    def __init__(self, runner: Runner, contract: Contract, advice: Advice) -> None:
        self._runner, self._contract, self._advice = runner, contract, advice
        self._fits: set[Size] = set()

    def __call__(self, rgb: Bytes) -> Floats:
        """See :func:`prepare`."""
        height, width = rgb.shape[:2]
        size = _padded_size(height, width, self._runner, self._contract, self._advice.size)
        if size not in self._fits:
            self._check(size)
        return _pad(to_batch(rgb), size)

    def _check(self, size: Size) -> None:
        runner = self._runner
        taken = runner.bytes_per_pixel if isinstance(runner, Frugal) else BYTES_PER_PIXEL
        check_fits(*size, taken, fix=self._advice.memory)
        self._fits.add(size)


def finish(rgb: Bytes, output: Floats, look: Look) -> Bytes:
    """Return the stylised picture, given the original and the net's output.

    Args:
        rgb: (H, W, 3) uint8, the original.
        output: (1, 3, H', W') float in 0..255, the net's output for the result of :func:`prepare`.
        look: the strength of the style.

    Returns:
        (H, W, 3) uint8.

    Raises:
        RunError: the output contains NaN or infinity.
    """
    values = output[:, :, : rgb.shape[0], : rgb.shape[1]]
    if not np.isfinite(values).all():
        raise RunError("the model gives values that are no numbers for this picture")
    styled = from_batch(values)
    if look.preserve_color:
        styled = _with_colors_of(rgb, styled)
    if look.strength != 1.0:
        return to_bytes(look.strength * styled + (1.0 - look.strength) * rgb.astype(np.float32))
    return styled


def _padded_size(height: int, width: int, runner: Runner, contract: Contract, fix: str) -> Size:
    """Return the smallest size that the model takes and that the picture fits into."""
    takes, needed = runner.takes, contract.size_for(height, width)
    if takes.least:
        needed = max(needed[0], takes.least[0]), max(needed[1], takes.least[1])
    if takes.takes(needed):
        return needed
    larger = [size for size in takes.sizes if size[0] >= height and size[1] >= width]
    if not takes.least and larger:
        return min(larger, key=math.prod)
    raise UsageError(
        f"the picture is {height}x{width}, the model takes {takes}",
        fix=fix,
    )


def _pad(batch: Floats, size: Size) -> Floats:
    """Pad to ``size`` by mirroring the right and lower edges, repeatedly if necessary."""
    height, width = batch.shape[2:]
    pads = ((0, 0), (0, 0), (0, size[0] - height), (0, size[1] - width))
    # "symmetric" repeats the edge pixel and so works for a single pixel; "reflect" does not.
    padded: Floats = np.pad(batch, pads, mode="symmetric") if size != (height, width) else batch
    return padded


def _with_colors_of(rgb: Bytes, styled: Bytes) -> Bytes:
    """Combine the luminance of ``styled`` with the colours of ``rgb``.

    Source: Gatys et al. 2016, "Preserving Color in Neural Artistic Style Transfer".
    """
    light = Image.fromarray(styled).convert("YCbCr").getchannel("Y")
    _, blue, red = Image.fromarray(rgb).convert("YCbCr").split()
    return np.array(Image.merge("YCbCr", (light, blue, red)).convert("RGB"))


def scale_down(picture: Picture, longer_side: int) -> Picture:
    """Scale the picture down so that its longer side is at most ``longer_side`` pixels."""
    height, width = picture.rgb.shape[:2]
    factor = longer_side / max(height, width)
    if factor >= 1:
        return picture
    size = max(1, round(width * factor)), max(1, round(height * factor))
    rgb = np.array(Image.fromarray(picture.rgb).resize(size, Image.Resampling.LANCZOS))
    if picture.alpha is None:
        return Picture(rgb)
    alpha = np.array(Image.fromarray(picture.alpha).resize(size, Image.Resampling.LANCZOS))
    return Picture(rgb, alpha)
