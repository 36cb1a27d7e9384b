"""``sttk export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sttk import exporters
from sttk.commands.export_report import finish
from sttk.commands.export_shapes import default_shapes, shapes_of
from sttk.commands.options import SIZE, SIZES, json_option
from sttk.commands.target_options import given, target_options
from sttk.toolkit import targets
from sttk.toolkit.core.contract import PRECISIONS
from sttk.toolkit.core.errors import SttkError, UsageError
from sttk.workflows.guesses import strict_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sttk.exporters.base import ExportRequest
    from sttk.exporters.options import Options
    from sttk.toolkit.artifact.search import Entry
    from sttk.toolkit.core.contract import Precision
    from sttk.toolkit.core.plan import Plan
    from sttk.toolkit.core.shapes import Size
    from sttk.toolkit.core.style_net import StyleNet

_ALL = "all"
_UNIFORM = "uniform"


@click.command(short_help="Export a style net to a target.")
@click.argument("style", required=False)
@click.option(
    "--target",
    "asked",
    type=click.Choice([*exporters.names(), _ALL]),
    multiple=True,
    default=[targets.DEFAULT],
    show_default=True,
    help="Format to export to; repeatable.",
)
@click.option(
    "--size",
    "squares",
    type=SIZE,
    multiple=True,
    help="One model for each size, N or HxW; repeatable.  [default: 512; web: any]",
)
@click.option(
    "--sizes", "listed", type=SIZES, help="One model for several sizes, such as 256,512,720x1280."
)
@click.option("--dynamic", is_flag=True, help="One model for any size and batch.")
@click.option("--min-size", type=SIZE, help="One model for a range of sizes: the smallest.")
@click.option("--opt-size", type=SIZE, help="The size to tune a range for.  [default: --max-size]")
@click.option("--max-size", type=SIZE, help="The largest size of a range.")
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="Precision of the model.  [default: the target's own]",
)
@click.option(
    "--calib",
    type=click.Path(path_type=Path, file_okay=False),
    help="Photographs to calibrate int8 and fp8 on, a folder.  [default: sttk's own]",
)
@click.option(
    "--plan",
    type=click.Path(path_type=Path),
    metavar=f"FILE|{_UNIFORM}",
    help="Precision by block: a plan file, or every block alike.  [default: the target's own]",
)
@click.option("--half", is_flag=True, help="Short for --precision fp16.")
@click.option(
    "--rewrites/--no-rewrites",
    "rewrite",
    default=True,
    show_default=True,
    help="Rewrite the net into a faster form of the same function.",
)
@target_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("artifacts"),
    show_default=True,
    help="Folder for the artifacts.",
)
@strict_option
@json_option
@click.pass_context
def export(
    context: click.Context,
    /,
    style: str | None,
    asked: tuple[str, ...],
    squares: tuple[Size, ...],
    listed: tuple[Size, ...] | None,
    dynamic: bool,
    min_size: Size | None,
    opt_size: Size | None,
    max_size: Size | None,
    precision: Precision | None,
    plan: Path | None,
    half: bool,
    rewrite: bool,
    calib: Path | None,
    output: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Export STYLE, a shipped style or a checkpoint file, to a target.

    The default style is ink or, if web is the only target, the mobile nets. Each artifact is a
    folder OUTPUT/STYLE/TARGET-PRECISION-SIZE with the model and its manifest.json. 'sttk parity'
    proves it, 'sttk stylize --artifact' uses it.
    """
    if half and precision not in (None, "fp16"):
        raise UsageError(f"--half is --precision fp16, and --precision {precision} is given")
    shapes = shapes_of(squares, listed, dynamic, (min_size, opt_size, max_size))
    from sttk.exporters.base import ExportRequest
    from sttk.toolkit import styles

    named = _named(asked)
    by_target = given(context, named, options)
    if not rewrite:
        _check_rewrites(named)
    if style is None and len(named) == 1:
        target = named[0]
        style, by_target[target] = _default_styles(target, by_target[target])
    net = styles.find(style or styles.DEFAULT)
    if half:
        precision = "fp16"
    uniform = plan == Path(_UNIFORM)
    chosen = None if uniform else _plan(plan, net, precision)
    pictures = _pictures(calib, chosen.default if chosen else precision)
    jobs = []
    for target in named:
        blocks = chosen or _usual_plan(target, net, precision, uniform)
        for shape in shapes or [default_shapes(target)]:
            request: ExportRequest[Any] = ExportRequest(
                net, blocks, shape, by_target[target], pictures, rewrite
            )
            jobs.append((target, request))
    finish(_export(jobs, output), as_json)


def _default_styles(target: str, options: Options) -> tuple[str | None, Options]:
    """Return the styles to export where none is named, if the target chooses, and its options."""
    from sttk.exporters import exporter

    choose = exporter(target).default_styles
    return choose(options) if choose else (None, options)


def _check_rewrites(named: list[str]) -> None:
    from sttk.exporters import exporter

    if not any(exporter(target).rewrites for target in named):
        raise UsageError(f"--no-rewrites is not an option of {', '.join(named)}")


def _named(asked: tuple[str, ...]) -> list[str]:
    every = [each.name for each in exporters.exportable() if each.in_all] if _ALL in asked else []
    return list(dict.fromkeys([*every, *(name for name in asked if name != _ALL)]))


def _pictures(folder: Path | None, precision: str | None) -> tuple[Path, ...]:
    """Return the pictures to calibrate on; none means the package's own."""
    from sttk.toolkit.imaging.images import list_images

    if folder is None:
        return ()
    if precision not in ("int8", "fp8"):
        raise UsageError("--calib is for --precision int8 and fp8")
    if not (files := list_images(folder)):
        raise UsageError(f"{folder}: no pictures in it")
    return tuple(files)


def _plan(file: Path | None, net: StyleNet, precision: Precision | None) -> Plan | None:
    """Read a plan file; a precision given as well must be the plan's default."""
    from sttk.toolkit.artifact.plan_file import read_plan

    plan = read_plan(file, net.origin.sha256) if file else None
    if plan and precision not in (None, plan.default):
        raise UsageError(f"{file} is a plan of {plan.default}, and {precision} is asked for")
    return plan


def _usual_plan(target: str, net: StyleNet, precision: Precision | None, uniform: bool) -> Plan:
    """Return the target's usual plan for a net, or, if ``uniform``, one precision throughout."""
    from sttk.exporters.plans import usual_plan
    from sttk.toolkit.core.plan import Plan

    usual = usual_plan(target, net, precision)
    return Plan(usual.default) if uniform else usual


def _export(jobs: list[tuple[str, ExportRequest[Any]]], root: Path) -> Iterator[Entry | SttkError]:
    """Yield each job's artifact, or the error: with several targets, one may fail alone."""
    from sttk.exporters.artifact import folder_name, make_entry
    from sttk.toolkit.io.console import progress

    with progress("export", total=len(jobs)) as update:
        for done, (target, request) in enumerate(jobs):
            update(done, folder_name(target, request))
            try:
                yield make_entry(target, request, root)
            except SttkError as error:
                if len(jobs) == 1:
                    raise
                error.message = f"{folder_name(target, request)}: {error.message}"
                yield error
