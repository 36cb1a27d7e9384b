"""The commands as functions: ``load``, ``export``, ``check``, and pictures through a net.

They raise what the commands print: an :class:`SttkError` with a one-line message, a fix, and the
command's exit code.
"""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from PIL import Image

from sttk.exporters import exporter
from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.exporters.options import Options
from sttk.exporters.plans import usual_plan
from sttk.toolkit import styles, targets
from sttk.toolkit.core.errors import ImageError, UsageError
from sttk.toolkit.core.guessing import GuessWarning
from sttk.toolkit.core.shapes import Shapes, Size
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.images import Picture, from_pillow
from sttk.toolkit.imaging.regimes import shipped_photos
from sttk.toolkit.runtimes.stylize import Look, stylize
from sttk.toolkit.runtimes.torch import TorchRunner

if TYPE_CHECKING:
    from sttk.toolkit.parity.compare import Report

ImageT = TypeVar("ImageT", Image.Image, np.ndarray)


class Net:
    """A style net, ready for pictures.

    Attributes:
        module: the torch module, (B, 3, H, W) RGB in 0..255 -> the same, with its ``contract``.
        name: the net's name, such as ``ink``.
        card: the checkpoint's metadata: painting, licence, recipe.
        guesses: what was assumed of the file, because it does not say it.
    """

    def __init__(self, module: StyleNet) -> None:
        self.module = module
        self.name = module.origin.name
        self.card: dict[str, Any] = module.origin.card
        self.guesses = tuple(map(str, module.origin.guesses))
        self._runner = TorchRunner(module)

    def __repr__(self) -> str:
        return f"<sttk.Net {self.name}>"

    def stylize(
        self, image: ImageT, *, strength: float = 1.0, preserve_color: bool = False
    ) -> ImageT:
        """Return a picture in this style, of the same kind and size.

        Args:
            image: a Pillow image of any mode, or an array (H, W, 3) uint8 RGB.
            strength: 0 returns the picture, 1 the net's output, values in between blend the two.
            preserve_color: keep the picture's colours and take only the luminance from the output.

        Returns:
            For an image, an image in mode RGB, or RGBA if it was transparent somewhere; for an
            array, an array.

        Raises:
            ImageError: ``image`` is not a picture, or needs more memory than there is.
            UsageError: ``strength`` is out of bounds.
        """
        if not 0 <= strength <= 1:
            raise UsageError(f"strength {strength} is not within 0 to 1")
        look = Look(strength, preserve_color)
        picture = from_pillow(image) if isinstance(image, Image.Image) else _from_array(image)
        styled = stylize(picture, self._runner, self.module.contract, look)
        if isinstance(image, np.ndarray):
            return styled.rgb
        output = Image.fromarray(styled.rgb)
        if styled.alpha is not None:
            output.putalpha(Image.fromarray(styled.alpha))
        return output


def load(style: str | Path = styles.DEFAULT) -> Net:
    """Load a shipped style by its name, or a checkpoint of any layout by its path.

    Raises:
        CheckpointError: there is no such style or checkpoint, or it cannot be read.

    Warns:
        GuessWarning: something was guessed of the file; choices behind its name say it, as in
            ``x.onnx#input=0..1,output=0..1,channels=rgb``.
    """
    net = Net(styles.find(str(style)))
    if net.guesses:
        text = "; ".join(net.guesses)
        warnings.warn(f"{net.name}: {text}", GuessWarning, stacklevel=2)
    return net


def export(
    net: Net | str | Path,
    target: str = targets.DEFAULT,
    *,
    output: Path | str = "artifacts",
    precision: str | None = None,
    size: int | Size | None = 512,
    **options: Any,
) -> Path:
    """Export a net, as ``sttk export`` does.

    Args:
        net: a net from :func:`load`, or the name or path of one.
        target: a target of ``sttk export --target``, such as ``onnx``.
        output: the folder in which the artifact's folder is made, under the net's name.
        precision: ``fp32``, ``fp16``, ``int8`` or ``fp8``; by default the target's first.
        size: the side of a square in pixels, or (height, width); None for any size.
        options: fields of the target's options, such as ``opset=19``; ``sttk export --help`` lists
            them as flags.

    Returns:
        The artifact's folder, with the model, its ``manifest.json`` and a README.

    Raises:
        UsageError: the target cannot do what is asked for.
        ExportError: the export failed.
        MissingExtraError: a library that the target needs is not installed.
    """
    module = (net if isinstance(net, Net) else load(net)).module
    able = exporter(target)
    chosen = next((known for known in able.precisions if known == precision), None)
    if precision is not None and chosen is None:
        known = ", ".join(able.precisions)
        raise UsageError(f"{target} has no precision {precision}; it has {known}")
    plan = usual_plan(target, module, chosen)
    request: ExportRequest[Any] = ExportRequest(
        module, plan, _shapes(size), _options(options, target)
    )
    return make_artifact(target, request, Path(output))


def check(artifact: Path | str, *, vgg: Path | str | None = None, record: bool = False) -> Report:
    """Prove that an artifact is the same function as its reference, as ``sttk parity`` does.

    Args:
        artifact: the artifact's folder.
        vgg: weights of the loss network, with which the style of int8 artifacts is compared; by
            default those of the ``train`` extra.
        record: whether to write the verdict into the manifest, as the command does.

    Returns:
        The verdict on each input, all of which passed.

    Raises:
        ParityError: it is not the same function.
        ArtifactError: there is no artifact, or it cannot be read.
        NotRunError: the artifact cannot be run here.
    """
    from sttk.toolkit.opened.artifact import float_reference_of, open_artifact  # noqa: PLC0415
    from sttk.toolkit.parity.outcome import Judged, conclude  # noqa: PLC0415
    from sttk.toolkit.parity.run import Judge, ParityConfig  # noqa: PLC0415
    from sttk.toolkit.parity.style import StyleJudge  # noqa: PLC0415
    from sttk.workflows.record import record_parity  # noqa: PLC0415

    config = ParityConfig(shipped_photos(), style=StyleJudge(Path(vgg) if vgg else None))
    opened = open_artifact(Path(artifact))
    report = Judge(config).artifact(opened, float_reference_of(opened.manifest))
    if record:
        record_parity(opened, report)
    conclude([Judged(report)])
    return report


def _from_array(array: Any) -> Picture:
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
        raise ImageError(f"an array {array.shape} {array.dtype} is not (H, W, 3) uint8")
    return Picture(array)


def _shapes(size: int | Size | None) -> Shapes:
    if size is None:
        return Shapes.any()
    height, width = (size, size) if isinstance(size, int) else size
    try:
        return Shapes.fixed(height, width)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _options(given: dict[str, Any], target: str) -> Options:
    """Make the target's options; one that the target does not read is an error, as in the CLI."""
    kind = exporter(target).options
    known = {each.name for each in dataclasses.fields(kind)}
    if unread := [name for name in given if name not in known]:
        raise UsageError(f"{', '.join(unread)}: not an option of {target}")
    options: Options = kind(**given)
    return options
