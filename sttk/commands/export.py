"""``sttk export``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sttk import exporters
from sttk.commands.options import SIZE, SIZES, json_option
from sttk.commands.target_options import given, target_options
from sttk.toolkit import targets
from sttk.toolkit.core.contract import PRECISIONS
from sttk.toolkit.core.errors import SttkError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sttk.exporters.base import ExportRequest
    from sttk.exporters.options import Options
    from sttk.toolkit.artifact.search import Entry
    from sttk.toolkit.core.contract import Precision
    from sttk.toolkit.core.plan import Plan
    from sttk.toolkit.core.shapes import Shapes, Size
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
    shapes = _shapes(squares, listed, dynamic, (min_size, opt_size, max_size))
    from sttk.exporters.base import ExportRequest
    from sttk.toolkit import styles

    named = _named(asked)
    told = given(context, named, options)
    if not rewrite:
        _check_rewrites(named)
    if style is None and len(named) == 1:
        style, told[named[0]] = _default_styles(named[0], told[named[0]])
    net = styles.find(style or styles.DEFAULT)
    wanted: Precision | None = "fp16" if half else precision
    uniform = plan == Path(_UNIFORM)
    chosen = None if uniform else _plan(plan, net, wanted)
    pictures = _pictures(calib, chosen.default if chosen else wanted)
    jobs = []
    for target in named:
        by = chosen or _usual_plan(target, net, wanted, uniform)
        for shape in shapes or [_usual(target)]:
            request: ExportRequest[Any] = ExportRequest(
                net, by, shape, told[target], pictures, rewrite
            )
            jobs.append((target, request))
    _finish(_export(jobs, output), as_json)


def _shapes(
    squares: tuple[Size, ...],
    listed: tuple[Size, ...] | None,
    dynamic: bool,
    bounds: tuple[Size | None, Size | None, Size | None],
) -> list[Shapes]:
    """Return the shapes of the models to export, from the one way to give them that was used."""
    from sttk.toolkit.core.shapes import Shapes

    ways = {
        "--size": bool(squares),
        "--sizes": listed is not None,
        "--dynamic": dynamic,
        "--min-size": any(bounds),
    }
    used = [way for way, given in ways.items() if given]
    if len(used) > 1:
        raise UsageError(f"{' and '.join(used)}: give one of them")
    try:
        if listed:
            return [Shapes.one_of(listed)]
        if any(bounds):
            return [_range(*bounds)]
    except ValueError as error:
        raise UsageError(str(error)) from error
    if dynamic:
        return [Shapes.any()]
    return [Shapes.fixed(*size) for size in dict.fromkeys(squares)]


def _usual(target: str) -> Shapes:
    """Return a target's shapes where no size is given."""
    from sttk.exporters import exporter
    from sttk.exporters.base import SQUARE
    from sttk.toolkit.core.shapes import Shapes

    return Shapes.any() if exporter(target).kinds[0] == "any" else SQUARE


def _default_styles(target: str, options: Options) -> tuple[str | None, Options]:
    """Return the styles to export where none is named, if the target chooses, and its options."""
    from sttk.exporters import exporter

    choose = exporter(target).default_styles
    return choose(options) if choose else (None, options)


def _check_rewrites(named: list[str]) -> None:
    from sttk.exporters import exporter

    if not any(exporter(target).rewrites for target in named):
        raise UsageError(f"--no-rewrites is not an option of {', '.join(named)}")


def _range(least: Size | None, tuned: Size | None, most: Size | None) -> Shapes:
    from sttk.toolkit.core.shapes import Shapes

    if least is None or most is None:
        raise UsageError("a range needs --min-size and --max-size")
    tuned = tuned or most
    if not all(a <= b <= c for a, b, c in zip(least, tuned, most, strict=True)):
        raise UsageError("--min-size, --opt-size and --max-size must not fall, in height or width")
    return Shapes.within(least, tuned, most)


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


def _usual_plan(target: str, net: StyleNet, wanted: Precision | None, uniform: bool) -> Plan:
    """Return the target's usual plan for a net, or, if ``uniform``, one precision throughout."""
    from sttk.exporters.plans import usual_plan
    from sttk.toolkit.core.plan import Plan

    usual = usual_plan(target, net, wanted)
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


def _finish(results: Iterator[Entry | SttkError], as_json: bool) -> None:
    """Report the artifacts that were made; then raise if some were not."""
    found = list(results)
    errors = [result for result in found if isinstance(result, SttkError)]
    _report([result for result in found if not isinstance(result, SttkError)], as_json)
    for error in errors[:-1]:
        click.echo(f"error: {error} [{error.code}]", err=True)
    if errors:
        # The gravest exit code: a failed export must not look like a missing library.
        errors[-1].exit_code = min(error.exit_code for error in errors)
        raise errors[-1]


def _report(made: list[Entry], as_json: bool) -> None:
    from sttk.toolkit.core.plan import Plan
    from sttk.toolkit.io.console import print_json
    from sttk.toolkit.io.text import printable

    facts = [_facts(entry) for entry in made]
    if as_json:
        print_json(facts)
        return
    for fact in facts:
        click.echo(f"{fact['artifact']}: {fact['model']}, {fact['bytes'] / 1e6:.1f} MB")
        if len(fact["plan"]) > 1:
            click.echo(f"  by the plan: {printable(str(Plan.from_dict(fact['plan'])))}")
        if seen := fact["calibration"]:
            kinds = ", ".join(f"{seen[kind]} {kind}" for kind in ("dark", "bright", "blurred"))
            click.echo(f"  calibrated on {seen['pictures']} pictures, {kinds}")
    if made:
        click.echo(f"next: sttk parity {_common([entry.folder for entry in made])}")


def _common(folders: list[Path]) -> str:
    """Return the only artifact, or the folder that all of them are in."""
    return os.path.commonpath(folders)


def _facts(entry: Entry) -> dict[str, Any]:
    from sttk.toolkit.core.plan import DEFAULT

    folder, manifest = entry.folder, entry.manifest
    beside = (manifest.graph, "README.md")
    size = sum((folder / name).stat().st_size for name in manifest.files if name not in beside)
    coverage = manifest.quantization["coverage"] if manifest.quantization else None
    return {
        "artifact": str(folder),
        "model": manifest.model,
        "bytes": size,
        "calibration": coverage,
        "plan": manifest.plan or {DEFAULT: manifest.target.precision},
    }
