"""``sttk sheet``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sttk.commands.options import OUTPUT
from sttk.workflows.choice import Choice

if TYPE_CHECKING:
    from sttk.toolkit.imaging.images import Bytes, Picture

_PHOTOGRAPH = "photograph"


@click.command(short_help="Show a photograph in every style, on one sheet.")
@click.argument("photo", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=OUTPUT, required=True, help="A picture, such as sheet.jpg.")
@click.option(
    "--style",
    "styles",
    multiple=True,
    help="A style, a checkpoint or a blend; repeatable.  [default: all shipped styles]",
)
@click.option("--small", is_flag=True, help="Also show the mobile nets of the shipped styles.")
@click.option(
    "--size",
    type=click.IntRange(32, 4096),
    default=400,
    show_default=True,
    help="Longer side of each picture.",
)
@click.option(
    "--columns", type=click.IntRange(1, 20), default=3, show_default=True, help="Pictures in a row."
)
def sheet(
    photo: Path, output: Path, styles: tuple[str, ...], small: bool, size: int, columns: int
) -> None:
    """Show PHOTO and its version in each style, with names, to choose from."""
    from sttk.toolkit import styles as shipped
    from sttk.toolkit.imaging.images import Picture as Page
    from sttk.toolkit.imaging.images import check_writable, read_image, write_image
    from sttk.toolkit.imaging.sheet import grid
    from sttk.toolkit.io.outputs import check_new
    from sttk.toolkit.runtimes.stylize import scale_down

    check_writable(output)
    check_new(output, force=True, source=photo)
    picture = scale_down(read_image(photo), size)
    named = styles or tuple(shipped.names() if small else shipped.full_names())
    cells = [(_PHOTOGRAPH, picture.rgb), *_styled(picture, named)]
    write_image(output, Page(grid(cells, columns)))
    click.echo(f"{output}: {len(named)} styles")


def _styled(picture: Picture, named: Sequence[str]) -> Iterator[tuple[str, Bytes]]:
    from sttk.toolkit.io.console import progress
    from sttk.toolkit.runtimes.stylize import stylize
    from sttk.workflows.opening import opened

    with progress("sheet", total=len(named)) as update:
        for done, style in enumerate(named):
            with opened(Choice(style=style)) as (runner, contract):
                yield style, stylize(picture, runner, contract).rgb
            update(done + 1, style)
