"""``sttk stylize``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit.commands.options import json_option
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from toolkit.contract import Contract
    from toolkit.images import Picture
    from toolkit.runtimes.base import Runner

_RUNTIMES = ("torch", "onnxruntime")


@click.command(short_help="Stylise a photograph.")
@click.argument("photo", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Where to.")
@click.option("--style", help="A shipped style; see 'sttk styles'.  [default: ink]")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A checkpoint of any layout.")
@click.option("--artifact", type=click.Path(path_type=Path), help="Folder of an exported model.")
@click.option(
    "--runtime",
    type=click.Choice(_RUNTIMES),
    help="What runs it.  [default: the artifact's own, else torch]",
)
@click.option(
    "--strength", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="Blend."
)
@click.option("--preserve-color", is_flag=True, help="Keep the photograph's colours.")
@click.option("--max-size", type=click.IntRange(1), help="Scale the longer side down to this.")
@json_option
def stylize(
    photo: Path,
    output: Path,
    style: str | None,
    checkpoint: Path | None,
    artifact: Path | None,
    runtime: str | None,
    strength: float,
    preserve_color: bool,
    max_size: int | None,
    as_json: bool,
) -> None:
    """Stylise PHOTO, of any size and mode, with a style, a checkpoint or an artifact."""
    from toolkit.console import print_json
    from toolkit.images import read_image, write_image
    from toolkit.stylize import stylize as run

    _check_output(output)
    picture = _scaled(read_image(photo), max_size)
    runner, contract = _open(style, checkpoint, artifact, runtime)
    started = time.perf_counter()
    styled = run(picture, runner, contract, strength=strength, preserve_color=preserve_color)
    seconds = time.perf_counter() - started
    write_image(output, styled)
    height, width = styled.rgb.shape[:2]
    if as_json:
        facts = {"output": str(output), "height": height, "width": width}
        print_json({**facts, "runtime": runner.name, "seconds": round(seconds, 4)})
    else:
        click.echo(f"{output}: {width}x{height}, {runner.name}, {seconds:.2f} s")


def _check_output(output: Path) -> None:
    """Before the net runs, not after."""
    from toolkit.images import SUFFIXES

    if output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{output}: unknown picture suffix", fix="use .jpg, .png or .webp")


def _scaled(picture: Picture, max_size: int | None) -> Picture:
    from toolkit.stylize import scale_down

    return scale_down(picture, max_size) if max_size else picture


def _open(
    style: str | None, checkpoint: Path | None, artifact: Path | None, runtime: str | None
) -> tuple[Runner, Contract]:
    """The one of the three that was given, else the default style, with its runner."""
    given = [value for value in (style, checkpoint, artifact) if value is not None]
    if len(given) > 1:
        raise UsageError("--style, --checkpoint and --artifact exclude each other")
    if artifact is not None:
        return _open_artifact(artifact, runtime)
    if runtime not in (None, "torch"):
        raise UsageError(f"--runtime {runtime} runs an exported model", fix="pass --artifact DIR")
    from toolkit import styles
    from toolkit.checkpoints import load
    from toolkit.runtimes.torch import TorchRunner

    net = load(checkpoint) if checkpoint else styles.find(style or styles.DEFAULT)
    return TorchRunner(net), net.contract


def _open_artifact(folder: Path, runtime: str | None) -> tuple[Runner, Contract]:
    from toolkit.artifact import open_artifact, reference_of
    from toolkit.runtimes.torch import TorchRunner

    opened = open_artifact(folder)
    if runtime == "torch":
        return TorchRunner(reference_of(opened.manifest)), opened.manifest.contract
    if runtime not in (None, opened.runner.name):
        raise UsageError(f"{folder} runs under {opened.runner.name}, not {runtime}")
    return opened.runner, opened.manifest.contract
