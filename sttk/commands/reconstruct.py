"""``sttk reconstruct``."""

from __future__ import annotations

from pathlib import Path

import click

from sttk.commands.options import OUTPUT, json_option


@click.command(short_help="Show what VGG's layers keep of a picture.")
@click.argument("picture", type=click.Path(path_type=Path))
@click.option(
    "--what",
    type=click.Choice(["content", "style"]),
    default="content",
    show_default=True,
    help="What to rebuild.",
)
@click.option(
    "-o", "--output", type=OUTPUT, help="File to write.  [default: PICTURE-WHAT.png, here]"
)
@click.option(
    "--size", type=click.IntRange(32), default=256, show_default=True, help="Longer side."
)
@click.option(
    "--iterations",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="Steps for each layer.",
)
@click.option("--vgg", type=click.Path(path_type=Path), help="VGG-19, as for sttk gatys.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Seed of the noise.",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, ...")
@json_option
def reconstruct(
    picture: Path,
    what: str,
    output: Path | None,
    size: int,
    iterations: int,
    vgg: Path | None,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Rebuild PICTURE from noise, from what single layers of VGG-19 keep of it, on one sheet.

    The figure of Gatys et al. 2015: content from conv1_1, conv2_1, ... conv5_1, each alone; style
    from conv1_1, then conv1_1 and conv2_1, up to all five.
    """
    from sttk.toolkit.gatys.reconstruct import names, reconstructions
    from sttk.toolkit.gatys.run import photo_batch
    from sttk.toolkit.imaging.images import Picture, check_writable, from_batch, write_image
    from sttk.toolkit.imaging.sheet import sheet
    from sttk.toolkit.io.console import print_json, progress
    from sttk.toolkit.io.outputs import check_outputs
    from sttk.toolkit.training.devices import device_for

    output = output or Path(f"{picture.stem}-{what}.png")
    check_writable(output)
    check_outputs([output])
    photo = photo_batch(picture, size).to(device_for(device))
    tiles, losses = [from_batch(photo.cpu().numpy())], {}
    with progress("reconstruct", total=len(names(what)) * iterations, line_seconds=30.0) as update:
        for name, step in reconstructions(photo, what, iterations, vgg, seed, update):
            tiles.append(from_batch(step.picture.cpu().numpy()))
            losses[name] = step.losses["total"]
    write_image(output, Picture(sheet([tiles], ["original", *losses])))
    if as_json:
        print_json({"output": str(output), "losses": losses})
    else:
        click.echo(str(output))
