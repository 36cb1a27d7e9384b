"""``sttk camera``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from sttk.commands.options import OUTPUT, SIZE, Finite
from sttk.toolkit.core.shapes import Size
from sttk.workflows.choice import FASTEST, Choice, net_options


@click.command(short_help="Stylise a camera's picture, live, on a web page.")
@click.option(
    "--source", default="0", show_default=True, help="Number of a camera, or a video to play."
)
@net_options("the fastest here")
@click.option(
    "--size", type=SIZE, default="480x640", show_default=True, help="Size to ask the camera for."
)
@click.option(
    "--strength", type=Finite(0, 1), default=1.0, show_default=True, help="Strength of the style."
)
@click.option("--preserve-color", is_flag=True, help="Keep the camera's colours.")
@click.option(
    "--steady",
    type=Finite(0, 1),
    default=0.0,
    show_default=True,
    help="Share of the previous frame, against flicker; try 0.8.",
)
@click.option("-o", "--output", type=OUTPUT, help="Also record a video.")
@click.option("--frames", type=click.IntRange(1), help="Stop after this many.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to serve on; another one lets the network see the picture.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Port; 0 takes a free one.",
)
@click.option("--force", is_flag=True, help="Replace an existing recording.")
def camera(
    source: str,
    choice: Choice,
    size: Size,
    strength: float,
    preserve_color: bool,
    steady: float,
    output: Path | None,
    frames: int | None,
    host: str,
    port: int,
    force: bool,
) -> None:
    """Show what a camera sees in a style, on a page of this machine, until Ctrl-C.

    Frames that the net has no time for are dropped, so the picture lags by one frame at most. Use a
    small net, such as ink-mobile-m.
    """
    from sttk.toolkit.runtimes.stylize import Look
    from sttk.toolkit.video.camera import open_source
    from sttk.toolkit.video.live import LiveSettings, run_live
    from sttk.toolkit.video.page import serve
    from sttk.workflows.opening import opened

    if output is not None:
        _check(output, force=force)
    if choice.artifact is None and choice.runtime is None:
        choice = dataclasses.replace(choice, runtime=FASTEST)
    settings = LiveSettings(Look(strength, preserve_color), steady, frames, output)
    with (
        open_source(source, size) as live,
        opened(choice) as (runner, contract),
        serve(f"{live.name}, {runner.name}", host, port) as page,
    ):
        click.echo(f"{page.url}: {live.name}, {runner.name}; Ctrl-C ends it")
        shown = run_live(live, runner, contract, settings, page.show)
    click.echo(f"{shown} frames" + (f", in {output}" if output else ""))


def _check(output: Path, *, force: bool) -> None:
    from sttk.toolkit.io.outputs import check_new, check_output
    from sttk.toolkit.video.writer import check_name

    check_name(output)
    check_output(output)
    check_new(output, force=force)
