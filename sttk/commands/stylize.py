"""``sttk stylize``."""

from __future__ import annotations

import dataclasses
import io
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sttk.commands.options import OUTPUT, Finite, json_option
from sttk.toolkit.core.errors import ImageError, IncompleteError, UsageError
from sttk.workflows.choice import Choice, net_options

if TYPE_CHECKING:
    from sttk.toolkit.core.contract import Contract
    from sttk.toolkit.imaging.images import Picture
    from sttk.toolkit.runtimes.base import Runner
    from sttk.toolkit.runtimes.stylize import Look

_STREAM = "-"
_SHOWN = 20  # failures listed by name; the rest are only counted


@click.command(short_help="Stylise photographs.")
@click.argument("photos", nargs=-1, required=True)
@click.option(
    "-o", "--output", type=OUTPUT, required=True, help="File, or folder for several; - is stdout."
)
@net_options("torch")
@click.option(
    "--strength", type=Finite(0, 1), default=1.0, show_default=True, help="Strength of the style."
)
@click.option("--preserve-color", is_flag=True, help="Keep the photograph's colours.")
@click.option("--max-size", type=click.IntRange(1), help="Scale the longer side down to this.")
@click.option(
    "--tile",
    type=click.IntRange(64),
    help="Side of the tiles in which torch runs a picture too large for memory: the same picture, "
    "in several times the time.",
)
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Pictures of a folder, all of one size, to run at once.",
)
@click.option("--force", is_flag=True, help="In a folder, replace pictures that exist.")
@json_option
def stylize(
    photos: tuple[str, ...],
    output: Path,
    choice: Choice,
    strength: float,
    preserve_color: bool,
    max_size: int | None,
    tile: int | None,
    batch: int,
    force: bool,
    as_json: bool,
) -> None:
    """Stylise PHOTOS, of any size and mode, with a style, several, a checkpoint or an artifact.

    A folder, several files or a pattern are written to a folder, with the same names and
    subfolders. Pictures that exist there are left alone, so that a run that was stopped continues.
    Pictures that cannot be read are reported at the end. - is standard input.
    """
    from sttk.toolkit.runtimes.stylize import Look

    work = _Work(dataclasses.replace(choice, tile=tile), Look(strength, preserve_color), max_size)
    if len(photos) > 1 or _is_many(photos[0]) or output.is_dir():
        if _STREAM in (*photos, str(output)):
            raise UsageError("- is for one photograph")
        _many(photos, output, work, batch, force=force, as_json=as_json)
    else:
        _one(photos[0], output, work, as_json=as_json)


@dataclasses.dataclass(frozen=True)
class _Work:
    """The settings for each picture."""

    choice: Choice
    look: Look
    max_size: int | None

    def scaled(self, picture: Picture) -> Picture:
        from sttk.toolkit.runtimes.stylize import scale_down

        return scale_down(picture, self.max_size) if self.max_size else picture


def _is_many(photo: str) -> bool:
    path = Path(photo)
    return path.is_dir() or (not path.exists() and any(sign in photo for sign in "*?["))


def _one(photo: str, output: Path, work: _Work, *, as_json: bool) -> None:
    from sttk.toolkit.imaging.images import check_writable, encode_image, write_image
    from sttk.toolkit.io.console import print_json
    from sttk.toolkit.io.outputs import check_new
    from sttk.toolkit.runtimes.stylize import stylize as run
    from sttk.workflows.opening import opened

    to_stdout = str(output) == _STREAM
    if not to_stdout:
        check_writable(output)
        check_new(output, force=True, source=Path(photo))
    picture = work.scaled(_read(photo))
    with opened(work.choice) as (runner, contract):
        started = time.perf_counter()
        styled = run(picture, runner, contract, work.look)
        seconds = time.perf_counter() - started
    if to_stdout:
        sys.stdout.buffer.write(encode_image(styled, ".png"))
    else:
        write_image(output, styled)
    height, width = styled.rgb.shape[:2]
    if as_json and not to_stdout:
        facts = {"output": str(output), "height": height, "width": width}
        print_json({**facts, "runtime": runner.name, "seconds": round(seconds, 4)})
    else:
        text = f"{output}: {width}x{height}, {runner.name}, {seconds:.2f} s"
        click.echo(text, err=to_stdout)


def _read(photo: str) -> Picture:
    from sttk.toolkit.imaging.images import decode_image, read_image
    from sttk.toolkit.io.files import MOST_BYTES, read_stream

    if photo != _STREAM:
        return read_image(Path(photo))
    try:
        content = read_stream(sys.stdin.buffer, MOST_BYTES)
    except ValueError as error:
        raise ImageError(f"standard input: {error}") from error
    return decode_image(io.BytesIO(content), "standard input")


def _many(
    photos: Sequence[str], output: Path, work: _Work, batch: int, *, force: bool, as_json: bool
) -> None:
    from sttk.toolkit.imaging import gallery
    from sttk.toolkit.io.console import print_json, progress
    from sttk.toolkit.io.outputs import check_folder
    from sttk.workflows.opening import opened

    jobs = gallery.plan(photos, output)
    check_folder(output)
    started = time.perf_counter()
    with opened(work.choice) as (runner, contract), progress("stylize", total=len(jobs)) as update:
        report = gallery.run(
            jobs,
            lambda pictures: _styled(pictures, work, runner, contract),
            batch=batch,
            force=force,
            on_progress=lambda done: update(done, f"{done} of {len(jobs)}"),
        )
    seconds = time.perf_counter() - started
    facts = {"done": len(report.done), "kept": len(report.kept), "failed": report.failed}
    if as_json:
        print_json({"output": str(output), **facts, "seconds": round(seconds, 2)})
    else:
        kept = f", {len(report.kept)} there already" if report.kept else ""
        click.echo(f"{output}: {len(report.done)} stylised{kept}, {seconds:.1f} s")
    if report.failed:
        shown = "; ".join(report.failed[:_SHOWN])
        more = len(report.failed) - _SHOWN
        rest = f"; and {more} more" if more > 0 else ""
        raise IncompleteError(f"{len(report.failed)} of {len(jobs)} failed: {shown}{rest}")


def _styled(
    pictures: Sequence[Picture], work: _Work, runner: Runner, contract: Contract
) -> list[Picture]:
    from sttk.toolkit.runtimes.stylize import stylize_batch

    return stylize_batch([work.scaled(each) for each in pictures], runner, contract, work.look)
