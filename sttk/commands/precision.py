"""``sttk precision``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sttk import exporters
from sttk.commands.options import SIZE, Finite, json_option
from sttk.toolkit import devices, targets
from sttk.toolkit.core.contract import PRECISIONS
from sttk.toolkit.core.errors import ParityError, UsageError
from sttk.workflows.guesses import strict_option

if TYPE_CHECKING:
    from sttk.exporters.options import Options
    from sttk.toolkit.core.contract import Precision
    from sttk.toolkit.core.shapes import Size
    from sttk.workflows.plan_search.result import Cost, SearchResult
    from sttk.workflows.plan_search.run import SearchConfig


@click.command(short_help="Search for the cheapest plan that holds a floor.")
@click.argument("style", required=False)
@click.option(
    "--target",
    type=click.Choice(exporters.names()),
    default=targets.DEFAULT,
    show_default=True,
    help="Format to export to.",
)
@click.option(
    "--precision",
    type=click.Choice([p for p in PRECISIONS if p != "fp32"]),
    default="fp16",
    show_default=True,
    help="Precision that blocks are lowered to.",
)
@click.option(
    "--high",
    type=click.Choice(["fp32", "fp16"]),
    default="fp32",
    show_default=True,
    help="Precision of the other blocks.",
)
@click.option(
    "--floor",
    type=Finite(min=0),
    required=True,
    help="PSNR in dB, against the float net, that every kind of input must reach.",
)
@click.option(
    "--device",
    "chosen",
    type=click.Choice(devices.NAMES),
    multiple=True,
    default=[devices.DEFAULT],
    show_default=True,
    help="Device on which exported plans must hold the floor ('sttk devices'); repeatable.",
)
@click.option(
    "--size", type=SIZE, default="256", show_default=True, help="Size of the inputs, N or HxW."
)
@click.option(
    "--cost",
    type=click.Choice(["time", "bytes"]),
    help="Cost of a plan: the runtime's time here, or the bytes moved.  [default: time for int8 "
    "where it can be timed here, else bytes]",
)
@click.option(
    "--photos",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of photographs to try.  [default: sttk's own]",
)
@click.option(
    "--calib",
    type=click.Path(path_type=Path, file_okay=False),
    help="Photographs to calibrate int8 and fp8 on, a folder.  [default: sttk's own]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The plan file; the chart is next to it.  [default: STYLE-TARGET.plan.json]",
)
@click.option("--chart/--no-chart", default=True, show_default=True, help="Draw a chart, a PNG.")
@strict_option
@json_option
def precision(
    style: str | None,
    target: str,
    precision: Precision,
    high: Precision,
    floor: float,
    chosen: tuple[str, ...],
    size: Size,
    cost: Cost | None,
    photos: Path | None,
    calib: Path | None,
    output: Path | None,
    chart: bool,
    as_json: bool,
) -> None:
    """Search for the cheapest plan of STYLE that holds a floor on every kind of input.

    STYLE is a shipped style or a checkpoint (default: ink). Each block of the net is tried in the
    low and in the high precision, in torch; the plans that no other plan beats are exported, run
    by the target's own runtime and timed. A plan must hold the floor in both. 'sttk export --plan
    FILE' uses the plan file. The exit code is 1 if no plan holds the floor.
    """
    from sttk.toolkit import styles
    from sttk.toolkit.imaging.charts import check_charts
    from sttk.toolkit.imaging.regimes import shipped_photos
    from sttk.workflows.plan_search.run import SearchConfig

    if chart:
        check_charts()
    if precision == high:
        raise UsageError(f"--high {high} is what blocks are lowered to")
    net = styles.find(style or styles.DEFAULT)
    timed = precision == "int8" and _is_timed(target)
    config = SearchConfig(
        net,
        target,
        precision,
        high,
        floor,
        size,
        _pictures(photos) or tuple(shipped_photos()),
        _pictures(calib),
        cost or ("time" if timed else "bytes"),
        _options(target),
        _devices(chosen, target, precision),
    )
    file = output or Path(f"{net.origin.name}-{target}.plan.json")
    _finish(_searched(config), config, file, chart, as_json)


def _devices(chosen: tuple[str, ...], target: str, made: str) -> tuple[str, ...]:
    """Return the devices' names. Raises UsageError or NotRunError if one cannot run the models."""
    known = targets.target(target)
    for name in chosen:
        device = devices.device(name)
        if not device.judges(known, made):
            raise UsageError(f"{name} runs no {made} models of {target}")
        device.check(known)
    return tuple(dict.fromkeys(chosen))


def _pictures(folder: Path | None) -> tuple[Path, ...]:
    from sttk.toolkit.imaging.images import list_images

    files = tuple(list_images(folder)) if folder else ()
    if folder and not files:
        raise UsageError(f"{folder}: no pictures in it")
    return files


def _is_timed(target: str) -> bool:
    """Return whether the target's runtime can be timed here."""
    found = targets.target(target)
    return found.timed and found.selectable


def _options(target: str) -> Options:
    from sttk.exporters import exporter

    able = exporter(target)
    chosen: Options = able.searched or able.options()
    return chosen


def _searched(config: SearchConfig) -> SearchResult:
    from sttk.toolkit.io.console import progress
    from sttk.workflows.plan_search.run import search

    done = 0
    with progress(f"precision of {config.net.origin.name}", total=1) as update:

        def on_progress(text: str) -> None:
            nonlocal done
            done += 1
            update(1 - 0.97**done, text)  # the number of plans is not known beforehand

        return search(config, on_progress)


def _finish(
    found: SearchResult, config: SearchConfig, file: Path, chart: bool, as_json: bool
) -> None:
    """Report; write the chart and the plan; fail if no plan holds, naming the best one."""
    from sttk.toolkit.artifact.plan_file import write_plan
    from sttk.toolkit.io.console import print_json
    from sttk.workflows.plan_search.chart import draw
    from sttk.workflows.plan_search.show import by, show

    picture = file.with_suffix(".png")
    if chart:
        draw(found, picture)
    chosen = found.chosen
    if chosen:
        write_plan(file, chosen.plan, config.net.origin.sha256, {"search": found.to_dict()})
    if as_json:
        print_json({**found.to_dict(), "file": str(file) if chosen else None})
    else:
        show(found)
        if chart:
            click.echo(f"chart: {picture}")
    if not chosen:
        best = found.best
        raise ParityError(
            f"no plan holds {found.floor:g} dB: the best, {best.plan}, has {best.worst:.1f} on "
            f"{best.where}",
            fix="ask for less, or for another --high",
        )
    if not as_json:
        click.echo(f"cheapest that holds the floor, by {by(found)}: {chosen.plan}")
        click.echo(f"next: sttk export {config.net.origin.source.removeprefix('style:')} "
                   f"--target {config.target} --plan {file}")  # fmt: skip
