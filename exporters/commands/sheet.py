"""``sttk sheet``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exporters.choice import Choice
from toolkit.commands.options import OUTPUT

if TYPE_CHECKING:
    from toolkit.images import Bytes, Picture

_PHOTOGRAPH = "photograph"


@click.command(short_help="Show a photograph in every style, on one sheet.")
@click.argument("photo", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=OUTPUT, required=True, help="A picture, such as sheet.jpg.")
@click.option(
    "--style",
    "styles",
    multiple=True,
    help="A style, a checkpoint or a blend; repeatable.  [default: all that are shipped]",
)
@click.option("--small", is_flag=True, help="Of the shipped styles the mobile nets, too.")
@click.option(
    "--size",
    type=click.IntRange(32, 4096),
    default=400,
    show_default=True,
    help="Longer side of each picture.",
)
@click.option("--columns", type=click.IntRange(1, 20), default=3, show_default=True)
def sheet(
    photo: Path, output: Path, styles: tuple[str, ...], small: bool, size: int, columns: int
) -> None:
    """Show PHOTO and what each style makes of it, names above, to choose from."""
    from toolkit import styles as shipped
    from toolkit.images import Picture as Page
    from toolkit.images import check_writable, read_image, write_image
    from toolkit.outputs import check_new
    from toolkit.sheet import grid
    from toolkit.stylize import scale_down

    check_writable(output)
    check_new(output, force=True, source=photo)
    picture = scale_down(read_image(photo), size)
    named = styles or tuple(shipped.names() if small else shipped.full_names())
    cells = [(_PHOTOGRAPH, picture.rgb), *_styled(picture, named)]
    write_image(output, Page(grid(cells, columns)))
    click.echo(f"{output}: {len(named)} styles")


def _styled(picture: Picture, named: Sequence[str]) -> Iterator[tuple[str, Bytes]]:
    from exporters.opening import opened
    from toolkit.console import progress
    from toolkit.stylize import stylize

    with progress("sheet", total=len(named)) as update:
        for done, style in enumerate(named):
            with opened(Choice(style=style)) as (runner, contract):
                yield style, stylize(picture, runner, contract).rgb
            update(done + 1, style)
