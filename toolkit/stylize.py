"""One picture through one runtime: padded to what the net takes, cropped back, blended."""

from __future__ import annotations

import numpy as np
from PIL import Image

from toolkit.contract import Contract, Size
from toolkit.errors import UsageError
from toolkit.images import Bytes, Floats, Picture, from_batch, to_batch, to_bytes
from toolkit.memory import check_fits
from toolkit.runtimes.base import Runner


def stylize(
    picture: Picture,
    runner: Runner,
    contract: Contract,
    *,
    strength: float = 1.0,
    preserve_color: bool = False,
) -> Picture:
    """The picture in the style of the runner's net, of the same size, with its own opacity.

    Args:
        picture: any size.
        runner: a runtime with the net loaded.
        contract: of that net.
        strength: 0 gives the picture back, 1 the net's output, between them a blend.
        preserve_color: keep the picture's colours and take only the style's light and dark.

    Raises:
        UsageError: the runner's model is of one size and the picture is larger.
        ImageError: the net would need more memory than there is.
    """
    height, width = picture.rgb.shape[:2]
    size = _padded_size(height, width, runner, contract)
    check_fits(*size)
    batch = _pad(to_batch(picture.rgb), size)
    styled = from_batch(runner.run(batch)[:, :, :height, :width])
    if preserve_color:
        styled = _with_color_of(picture.rgb, styled)
    if strength != 1.0:
        styled = to_bytes(strength * styled + (1.0 - strength) * picture.rgb.astype(np.float32))
    return Picture(styled, picture.alpha)


def _padded_size(height: int, width: int, runner: Runner, contract: Contract) -> Size:
    if runner.takes.size is None:
        least = contract.smallest_side
        return contract.output_size(max(height, least), max(width, least))
    if height > runner.takes.size[0] or width > runner.takes.size[1]:
        fixed = f"{runner.takes.size[0]}x{runner.takes.size[1]}"
        raise UsageError(
            f"the picture is {height}x{width}, the model takes {fixed}",
            fix="pass --max-size to scale the picture, or export with --dynamic",
        )
    return runner.takes.size


def _pad(batch: Floats, size: Size) -> Floats:
    """Mirror the right and lower edges outward to ``size``, as often as it takes."""
    height, width = batch.shape[2:]
    pads = ((0, 0), (0, 0), (0, size[0] - height), (0, size[1] - width))
    # "symmetric" repeats the edge pixel and so works from one pixel on, where "reflect" does not.
    padded: Floats = np.pad(batch, pads, mode="symmetric")
    return padded


def _with_color_of(rgb: Bytes, styled: Bytes) -> Bytes:
    """Luminance of ``styled``, colour of ``rgb`` (Gatys et al. 2016, "Preserving Color")."""
    light = Image.fromarray(styled).convert("YCbCr").getchannel("Y")
    _, blue, red = Image.fromarray(rgb).convert("YCbCr").split()
    return np.array(Image.merge("YCbCr", (light, blue, red)).convert("RGB"))


def scale_down(picture: Picture, longer_side: int) -> Picture:
    """The picture with its longer side at most ``longer_side`` pixels."""
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
