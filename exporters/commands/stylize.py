"""``sttk stylize``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit.commands.options import Finite, json_option
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
    help="What runs it, exported for it if need be.  [default: the artifact's, else torch]",
)
@click.option("--strength", type=Finite(0, 1), default=1.0, show_default=True, help="Blend.")
@click.option("--preserve-color", is_flag=True, help="Keep the photograph's colours.")
@click.option("--max-size", type=click.IntRange(1), help="Scale the longer side down to this.")
@click.option(
    "--tile",
    type=click.IntRange(64),
    help="Side of the tiles in which torch runs a picture too large for memory; same picture, "
    "several times the time.",
)
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
    tile: int | None,
    as_json: bool,
) -> None:
    """Stylise PHOTO, of any size and mode, with a style, a checkpoint or an artifact."""
    from toolkit.console import print_json
    from toolkit.images import check_writable, read_image, write_image
    from toolkit.stylize import stylize as run

    check_writable(output)
    picture = _scaled(read_image(photo), max_size)
    with _opened(style, checkpoint, artifact, runtime, tile) as (runner, contract):
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


def _scaled(picture: Picture, max_size: int | None) -> Picture:
    from toolkit.stylize import scale_down

    return scale_down(picture, max_size) if max_size else picture


@contextmanager
def _opened(
    style: str | None,
    checkpoint: Path | None,
    artifact: Path | None,
    runtime: str | None,
    tile: int | None,
) -> Iterator[tuple[Runner, Contract]]:
    """The one of the three that was given, else the default style, with its runner."""
    if sum(value is not None for value in (style, checkpoint, artifact)) > 1:
        raise UsageError("--style, --checkpoint and --artifact exclude each other")
    if tile and (artifact is not None or runtime not in (None, "torch")):
        raise UsageError("--tile is for torch: the statistics of norms in a model are its own")
    if artifact is not None:
        yield _open_artifact(artifact, runtime)
        return
    from exporters.artifact import temporary_artifact
    from exporters.base import Request
    from toolkit import styles
    from toolkit.checkpoints import load
    from toolkit.runtimes.tiled import TiledRunner
    from toolkit.runtimes.torch import TorchRunner
    from toolkit.shapes import Shapes

    net = load(checkpoint) if checkpoint else styles.find(style or styles.DEFAULT)
    if runtime in (None, "torch"):
        runner: Runner = TiledRunner(net, tile) if tile else TorchRunner(net)
        yield runner, net.contract
        return
    with temporary_artifact("onnx", Request(net, shapes=Shapes.any())) as folder:
        yield _open_artifact(folder, runtime)


def _open_artifact(folder: Path, runtime: str | None) -> tuple[Runner, Contract]:
    from toolkit.artifact import open_artifact, reference_of
    from toolkit.runtimes.torch import TorchRunner

    opened = open_artifact(folder)
    if runtime == "torch":
        return TorchRunner(reference_of(opened.manifest)), opened.manifest.contract
    runner = opened.runner()
    if runtime not in (None, runner.name):
        raise UsageError(f"{folder} runs under {runner.name}, not {runtime}")
    return runner, opened.manifest.contract
