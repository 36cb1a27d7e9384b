"""``sttk video``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sttk.commands.options import OUTPUT, Finite, json_option
from sttk.workflows.choice import FASTEST, Choice, net_options

if TYPE_CHECKING:
    from sttk.toolkit.video.convert import Result, VideoSettings
    from sttk.toolkit.video.reader import Facts


@click.command(short_help="Stylise a video, with its sound.")
@click.argument("video", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=OUTPUT, required=True, help=".mp4, .mov, .mkv or .webm.")
@net_options("the fastest here")
@click.option(
    "--strength", type=Finite(0, 1), default=1.0, show_default=True, help="Strength of the style."
)
@click.option("--preserve-color", is_flag=True, help="Keep the video's colours.")
@click.option(
    "--steady",
    type=Finite(0, 1),
    default=0.0,
    show_default=True,
    help="Share of the previous frame, motion-compensated, against flicker; try 0.8.",
)
@click.option("--measure-flicker", is_flag=True, help="Measure how much it flickers; takes time.")
@click.option(
    "--crf",
    type=click.IntRange(0, 51),
    default=18,
    show_default=True,
    help="Quality; lower is better, and a larger file.",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@json_option
def video(
    video: Path,
    output: Path,
    choice: Choice,
    strength: float,
    preserve_color: bool,
    steady: float,
    measure_flicker: bool,
    crf: int,
    force: bool,
    as_json: bool,
) -> None:
    """Stylise VIDEO, of any size, rate, rotation and bit depth, and keep its sound.

    The first Ctrl-C ends the file after the current frame, and the file plays. The output has 8
    bits: HDR (PQ, HLG) is converted to standard dynamic range.
    """
    from sttk.toolkit.io.outputs import check_new, check_output
    from sttk.toolkit.runtimes.stylize import Look
    from sttk.toolkit.video.convert import VideoSettings
    from sttk.toolkit.video.reader import open_video
    from sttk.toolkit.video.writer import check_name

    check_name(output)
    check_output(output)
    check_new(output, force=force, source=video)
    settings = VideoSettings(Look(strength, preserve_color), steady, measure_flicker, crf)
    with open_video(video) as reader:
        runtime, result = _run(reader, output, choice, settings)
        facts = _facts(output, reader.facts, runtime, result)
    _print(facts, as_json)
    _conclude(video, output, result)


def _run(reader: Any, output: Path, choice: Choice, settings: VideoSettings) -> tuple[str, Result]:
    """Stylise the video; return the runtime's name and the result."""
    from sttk.toolkit.io.console import progress
    from sttk.toolkit.video.convert import stylize_video
    from sttk.workflows.opening import opened

    if choice.artifact is None and choice.runtime is None:
        choice = dataclasses.replace(choice, runtime=FASTEST)
    size = reader.facts.height, reader.facts.width
    total = reader.facts.frames or 1
    with opened(choice, size) as (runner, contract), progress("video", total=total) as update:
        result = stylize_video(
            reader,
            output,
            runner,
            contract,
            settings,
            lambda frames, fps: update(min(frames, total), f"{frames} frames, {fps:.1f} FPS"),
        )
    return runner.name, result


def _facts(output: Path, facts: Facts, runtime: str, result: Result) -> dict[str, Any]:
    flicker = dict(zip(("input", "output"), result.flicker, strict=False))
    return {
        "output": str(output),
        "height": facts.height,
        "width": facts.width,
        "frames": result.frames,
        "runtime": runtime,
        "seconds": round(result.seconds, 2),
        "fps": round(result.fps, 2),
        "hdr": facts.hdr,
        "broken_packets": result.broken,
        "flicker": {name: round(value, 2) for name, value in flicker.items()},
    }


def _print(facts: dict[str, Any], as_json: bool) -> None:
    from sttk.toolkit.io.console import print_json

    if as_json:
        print_json(facts)
        return
    size = f"{facts['width']}x{facts['height']}"
    click.echo(
        f"{facts['output']}: {size}, {facts['frames']} frames, {facts['runtime']}, "
        f"{facts['fps']:.1f} FPS"
    )
    if facts["flicker"]:
        found = facts["flicker"]
        click.echo(f"flicker: {found['output']} grey levels, the input's {found['input']}")


def _conclude(video: Path, output: Path, result: Result) -> None:
    from sttk.toolkit.core.errors import IncompleteError, StoppedError

    if result.stopped:
        kept = f"{output} holds the first {result.frames} frames"
        raise StoppedError(kept, result.stopped)
    if result.broken:
        raise IncompleteError(
            f"{video}: {result.broken} packets of it cannot be decoded; {output} has the rest"
        )
