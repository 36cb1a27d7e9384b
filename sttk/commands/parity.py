"""``sttk parity``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sttk import exporters
from sttk.commands.options import OUTPUT, SIZE, json_option
from sttk.toolkit import devices, targets
from sttk.toolkit.core.contract import ARITHMETIC, PRECISIONS
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.core.shapes import Size
from sttk.workflows.guesses import strict_option

if TYPE_CHECKING:
    from sttk.toolkit.core.contract import Precision
    from sttk.toolkit.devices.base import Device
    from sttk.toolkit.parity.outcome import Outcome
    from sttk.workflows.session import Session

ALL = "all"
_PROMISES = ("exact", "faithful", "same-style")


class _Regime(click.ParamType[str]):
    """A regime's name; not a click.Choice, as the names' module is slow to import."""

    name = "regime"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See click.ParamType."""
        from sttk.toolkit.imaging.regimes import NAMES

        if value not in NAMES:
            self.fail(f"{value!r} is none of {', '.join(NAMES)}", param, ctx)
        return value


@click.command(short_help="Prove that an artifact equals its PyTorch reference.")
@click.argument("models", nargs=-1, type=click.Path(path_type=Path))
@click.option("--reference", help="Checkpoint or style that MODELS must equal.")
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="Precision of bare models, which sets their promise.  [default: fp32]",
)
@click.option(
    "--promise",
    type=click.Choice(_PROMISES),
    help="The worst verdict that passes.  [default: by target and precision]",
)
@click.option(
    "--regime",
    "regimes",
    type=_Regime(),
    multiple=True,
    help="Kind of input: photo, dark, ramp, ...; repeatable.  [default: all]",
)
@click.option(
    "--photos",
    type=click.Path(path_type=Path),
    help="Folder of further photographs.",
)
@click.option(
    "--size",
    "sizes",
    type=SIZE,
    multiple=True,
    help="Size to try instead of those that the model promises; repeatable.",
)
@click.option(
    "--inference-precision",
    type=click.Choice(ARITHMETIC),
    help="Precision of the arithmetic, where the runtime has a choice.",
)
@click.option(
    "--require",
    type=click.Choice(targets.NAMES),
    multiple=True,
    metavar="TARGET",
    help="Fail unless a model of this target ran here; repeatable.",
)
@click.option(
    "--device",
    "chosen",
    type=click.Choice((*devices.NAMES, ALL)),
    multiple=True,
    help="Where to run: this host, or another arithmetic; repeatable.  [default: host]",
)
@click.option(
    "--require-device",
    "needed",
    type=click.Choice(devices.NAMES),
    multiple=True,
    help="Run there too, and fail unless a model could; repeatable.",
)
@click.option("--bisect", is_flag=True, help="Find the block at which a model goes wrong.")
@click.option(
    "--bisect-to",
    type=click.Path(path_type=Path, file_okay=False),
    help="Bisect, and write a reproduction of the error below this folder.",
)
@click.option(
    "--vgg",
    type=click.Path(path_type=Path),
    help="Weights of the loss network that compares styles.",
)
@click.option("--junit", type=OUTPUT, help="Write test results for CI servers.")
@click.option("--markdown", type=OUTPUT, help='Write Markdown, for "$GITHUB_STEP_SUMMARY".')
@click.option("--html", type=OUTPUT, help="Write a page with all figures and pictures.")
@click.option("--heatmaps", type=OUTPUT, help="Folder for a heat map of each failure.")
@click.option("--summary", is_flag=True, help="Print one line per model instead of a table.")
@strict_option
@json_option
def parity(
    models: tuple[Path, ...],
    reference: str | None,
    precision: Precision | None,
    promise: str | None,
    regimes: tuple[str, ...],
    photos: Path | None,
    sizes: tuple[Size, ...],
    inference_precision: str | None,
    require: tuple[str, ...],
    chosen: tuple[str, ...],
    needed: tuple[str, ...],
    bisect: bool,
    bisect_to: Path | None,
    vgg: Path | None,
    heatmaps: Path | None,
    summary: bool,
    as_json: bool,
    **files: Path | None,
) -> None:
    """Prove that each of MODELS is the same function as its PyTorch reference.

    MODELS are artifact folders, or folders above them, or, with --reference, anyone's bare model
    files. Without MODELS, every artifact below artifacts/ is judged; if there is none, the shipped
    style is exported to ONNX and Core ML, and judged. The exit code is 1 if any input fails.

    By default, models run on this host, in the arithmetic of its processor. --device judges them
    in that of others, most of which need no such hardware: 'sttk devices' lists them. Only those
    models are judged there that the device runs.

    --bisect runs the worst input again, block by block, and names the first block whose error is
    larger than arithmetic explains: its torch module, and the model's operation.
    """
    from sttk.toolkit import styles
    from sttk.toolkit.imaging.images import list_images
    from sttk.toolkit.imaging.regimes import NAMES, shipped_photos
    from sttk.toolkit.parity.outcome import conclude, required, required_devices
    from sttk.toolkit.parity.proven import proven
    from sttk.toolkit.parity.run import ParityConfig
    from sttk.toolkit.parity.style import StyleJudge
    from sttk.toolkit.runtimes.base import Settings
    from sttk.workflows.session import ReportOptions, Session

    if summary and as_json:
        raise UsageError("--summary and --json: give one of them")
    named = _checked(files, heatmaps)
    mine = list_images(photos) if photos else []
    if photos and not mine:
        raise UsageError(f"{photos}: no pictures in it")
    pictures = [*shipped_photos(), *mine]
    settings = Settings(inference_precision) if inference_precision else None
    net = styles.find(reference) if reference else None
    promised = promise.replace("-", " ") if promise else None
    config = ParityConfig(
        pictures, net, promised, sizes, regimes or NAMES, settings, StyleJudge(vgg)
    )
    options = ReportOptions(
        precision, bisect or bool(bisect_to), bisect_to, "html" in named, heatmaps
    )
    must = tuple(name for name in (*chosen, *needed) if name != ALL)
    session = Session(config, options, _devices(chosen, needed), must)
    outcomes = []
    for outcome in _judged(models, session):
        outcomes.append(outcome)
        if not as_json:
            _show(outcome, summary)
    outcomes = required_devices(must, required(require, outcomes, exporters.names()))
    if not as_json and (said := proven(outcomes)):
        click.echo(said)
    _report(outcomes, named, as_json=as_json)
    conclude(outcomes)


def _devices(chosen: tuple[str, ...], needed: tuple[str, ...]) -> list[Device]:
    names = devices.NAMES if ALL in chosen else (*(chosen or (devices.DEFAULT,)), *needed)
    return [devices.device(name) for name in dict.fromkeys(names)]


def _checked(files: Mapping[str, Path | None], heatmaps: Path | None) -> dict[str, Path]:
    """Return the report files that were named, after checking that they can be written."""
    from sttk.toolkit.io.outputs import check_folder, check_outputs

    named = {name: path for name, path in files.items() if path}
    check_outputs(named.values())
    if heatmaps:
        check_folder(heatmaps)
    return named


def _judged(models: tuple[Path, ...], session: Session) -> Iterator[Outcome]:
    from sttk.toolkit.parity.outcome import Unjudged
    from sttk.workflows.candidates import candidates

    with candidates(models) as found:
        for candidate in found:
            if isinstance(candidate, Unjudged):
                yield candidate
            else:
                yield from session.outcomes(candidate)


def _show(outcome: Outcome, in_a_line: bool) -> None:
    from sttk.toolkit.parity.bisect import show as bisection
    from sttk.toolkit.parity.outcome import Judged
    from sttk.toolkit.parity.show import line, show

    if not isinstance(outcome, Judged):
        word = "FAIL" if outcome.needed else "not run"
        click.echo(f"{word}: {outcome.candidate}: {outcome.error}")
    elif in_a_line:
        click.echo(line(outcome.report))
    else:
        show(outcome.report)
    if not in_a_line:
        click.echo()
    if not isinstance(outcome, Judged):
        return
    if outcome.bisection:
        bisection.show(outcome.bisection)


def _report(outcomes: Sequence[Outcome], files: Mapping[str, Path], *, as_json: bool) -> None:
    from sttk.toolkit.io.console import print_json
    from sttk.toolkit.io.outputs import write_output
    from sttk.toolkit.parity.formats import FORMATS, github

    if as_json:
        print_json([outcome.to_dict() for outcome in outcomes])
    for name, path in files.items():
        write_output(path, FORMATS[name](outcomes), append=github.is_step_summary(path))
    if github.is_here():
        click.echo(github.commands(outcomes), err=True, nl=False)
