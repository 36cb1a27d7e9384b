"""``sttk parity``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.commands.options import INFERENCE_PRECISIONS, SIZE, json_option
from toolkit.contract import PRECISIONS
from toolkit.errors import NotRunError, ParityError, SttkError, UsageError
from toolkit.shapes import Size

if TYPE_CHECKING:
    from toolkit.parity.bisect.bisection import Bisection
    from toolkit.parity.compare import Report
    from toolkit.parity.run import Ask, Judge

_ROOT = Path("artifacts")
_PROMISES = ("exact", "faithful", "same-style")


class _Regime(click.ParamType[str]):
    """Its names are known to a module that is slow to import."""

    name = "regime"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See click.ParamType."""
        from toolkit.regimes import NAMES

        if value not in NAMES:
            self.fail(f"{value!r} is none of {', '.join(NAMES)}", param, ctx)
        return value


@click.command(short_help="Prove that an artifact is its PyTorch reference.")
@click.argument("models", nargs=-1, type=click.Path(path_type=Path))
@click.option("--reference", help="Checkpoint or style that MODEL must equal.")
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="Of a bare MODEL: what it promises goes by it.  [default: fp32]",
)
@click.option(
    "--promise",
    type=click.Choice(_PROMISES),
    help="The rung to hold it to.  [default: by target and precision]",
)
@click.option(
    "--regime",
    "regimes",
    type=_Regime(),
    multiple=True,
    help="Kinds of input: photo, dark, ramp, ...; repeatable.  [default: all]",
)
@click.option("--photos", type=click.Path(path_type=Path), help="Folder of your own photographs.")
@click.option(
    "--size",
    "sizes",
    type=SIZE,
    multiple=True,
    help="To try in place of those that MODEL promises; repeatable.",
)
@click.option(
    "--inference-precision",
    type=click.Choice(INFERENCE_PRECISIONS),
    help="Of the arithmetic, where the runtime has a choice.",
)
@click.option(
    "--require",
    multiple=True,
    metavar="TARGET",
    help="Fail if no model of this target could be run here; repeatable.",
)
@click.option("--bisect", is_flag=True, help="Name the block at which each MODEL goes wrong.")
@click.option(
    "--bisect-to",
    type=click.Path(path_type=Path, file_okay=False),
    help="Bisect, and write what reproduces the error into a folder in here.",
)
@click.option("--vgg", type=click.Path(path_type=Path), help="Weights to compare styles by.")
@json_option
def parity(
    models: tuple[Path, ...],
    reference: str | None,
    precision: str | None,
    promise: str | None,
    regimes: tuple[str, ...],
    photos: Path | None,
    sizes: tuple[Size, ...],
    inference_precision: str | None,
    require: tuple[str, ...],
    bisect: bool,
    bisect_to: Path | None,
    vgg: Path | None,
    as_json: bool,
) -> None:
    """Prove that each of MODELS is the same function as its PyTorch reference.

    MODELS are artifact folders (or folders above them) or, with --reference, bare model
    files that anyone made. Without MODELS: every artifact below artifacts/; if there is
    none, the shipped style is exported and judged. Exit code 1 if any input fails.

    --bisect runs the input that is worst again, block by block, and names the first one that
    is further from PyTorch than arithmetic takes it: torch module, operation of the model.
    """
    from toolkit import styles
    from toolkit.console import print_json
    from toolkit.images import list_images
    from toolkit.parity.run import Ask, Judge
    from toolkit.parity.style import StyleJudge
    from toolkit.regimes import NAMES, shipped_photos
    from toolkit.runtimes.base import Settings

    files = list_images(photos) if photos else shipped_photos()
    if not files:
        raise UsageError(f"{photos}: no pictures in it")
    settings = Settings(inference_precision) if inference_precision else None
    net = styles.find(reference) if reference else None
    promised = promise.replace("-", " ") if promise else None
    ask = Ask(files, net, promised, sizes, regimes or NAMES, settings, StyleJudge(vgg))
    judge = Judge(ask)
    outcomes: list[Report | _Broken] = []
    bisections: dict[str, Bisection] = {}
    with _targets(models) as found:
        for model in found:
            outcomes.append(_outcome(judge, model, precision))
            if not as_json:
                _show(outcomes[-1])
            if (bisect or bisect_to) and not isinstance(outcomes[-1], _Broken):
                looked_into = _bisected(outcomes[-1], ask, model, precision, bisect_to)
                if isinstance(looked_into, _Broken):
                    outcomes.append(looked_into)
                else:
                    bisections[outcomes[-1].candidate] = looked_into
                if not as_json:
                    _show(looked_into)
    if as_json:
        print_json([_as_json(outcome, bisections) for outcome in outcomes])
    _finish(outcomes)
    _check_ran(require, outcomes)


@dataclasses.dataclass(frozen=True)
class _Broken:
    """A model that could not be judged; the others still are."""

    candidate: str
    error: SttkError
    passed: bool = False
    not_run: str = ""
    target: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {"candidate": self.candidate, "error": str(self.error), "passed": False}


def _outcome(judge: Judge, model: Path, precision: str | None) -> Report | _Broken:
    try:
        if _is_model(model):
            return judge.model(model, precision or "fp32")
        if precision:
            raise UsageError(f"{model}: its manifest says its precision", fix="pass --promise")
        return judge.artifact(model)
    except SttkError as error:
        return _Broken(str(model), error)


def _bisected(
    report: Report, ask: Ask, model: Path, precision: str | None, to: Path | None
) -> Bisection | _Broken:
    """Where a judged model goes wrong; one that cannot be bisected failed what was asked for."""
    from toolkit.parity.bisect.worst import bisect_artifact, bisect_model

    try:
        if _is_model(model):
            return bisect_model(model, precision or "fp32", ask, report, to)
        return bisect_artifact(model, ask, report, to)
    except SttkError as error:
        return _Broken(f"{model}, bisected", error)


def _as_json(outcome: Report | _Broken, bisections: Mapping[str, Bisection]) -> dict[str, Any]:
    found = bisections.get(outcome.candidate)
    return {**outcome.to_dict(), **({"bisection": found.to_dict()} if found else {})}


def _finish(outcomes: Sequence[Report | _Broken]) -> None:
    """Exit code 0 if all passed; that of the error if the only model could not be judged."""
    broken = [outcome for outcome in outcomes if isinstance(outcome, _Broken)]
    if broken and len(outcomes) == 1:
        raise broken[0].error
    failed = [outcome.candidate for outcome in outcomes if not outcome.passed]
    if not failed:
        return
    error = ParityError(f"parity fails for {len(failed)} of {len(outcomes)}: {', '.join(failed)}")
    error.exit_code = max((b.error.exit_code for b in broken), default=error.exit_code)
    raise error


@contextmanager
def _targets(models: tuple[Path, ...]) -> Iterator[list[Path]]:
    """What to judge: as given, else all artifacts, else the shipped style, made for it."""
    from toolkit.manifest import find_artifacts

    if models:
        yield [found for model in models for found in _expand(model)]
    elif artifacts := find_artifacts(_ROOT):
        yield artifacts
    else:
        with _exported_default() as folder:
            yield [folder]


def _expand(model: Path) -> list[Path]:
    from toolkit.manifest import find_artifacts

    if not model.exists():
        raise UsageError(f"{model}: no such file or folder")
    if _is_model(model):
        return [model]
    found = find_artifacts(model)
    if not found:
        raise UsageError(f"{model}: no artifact at or below it", fix="make one with 'sttk export'")
    return found


def _exported_default() -> AbstractContextManager[Path]:
    from exporters.artifact import temporary_artifact
    from exporters.base import Request
    from toolkit import styles
    from toolkit.shapes import Shapes

    click.echo(f"no artifacts below {_ROOT}/: exporting the style {styles.DEFAULT}", err=True)
    return temporary_artifact("onnx", Request(styles.find(styles.DEFAULT), shapes=Shapes.any()))


def _is_model(path: Path) -> bool:
    """A model file, or a package such as ``model.mlpackage``, which is a folder."""
    from toolkit.runtimes import FILE_RUNTIMES

    return path.is_file() or path.suffix in FILE_RUNTIMES


def _show(outcome: Report | Bisection | _Broken) -> None:
    from toolkit.parity.bisect import show as bisection
    from toolkit.parity.compare import Report
    from toolkit.parity.show import show

    if isinstance(outcome, _Broken):
        click.echo(f"FAIL: {outcome.error}\n")
    elif isinstance(outcome, Report):
        show(outcome)
    else:
        bisection.show(outcome)


def _check_ran(targets: tuple[str, ...], outcomes: Sequence[Report | _Broken]) -> None:
    """A target that was required has a model that ran here, and none that did not."""
    for target in targets:
        found = [outcome for outcome in outcomes if outcome.target == target]
        if not found:
            raise NotRunError(f"--require {target}: no such artifact was judged")
        for outcome in found:
            if outcome.not_run:
                raise NotRunError(f"--require {target}: {outcome.candidate} {outcome.not_run}")
