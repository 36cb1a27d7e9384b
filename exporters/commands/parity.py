"""``sttk parity``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.commands.options import SIZE, json_option
from toolkit.contract import PRECISIONS, Size
from toolkit.errors import ParityError, SttkError, UsageError

if TYPE_CHECKING:
    from toolkit.parity.compare import Report

_ROOT = Path("artifacts")


@click.command(short_help="Prove that an artifact is its PyTorch reference.")
@click.argument("models", nargs=-1, type=click.Path(path_type=Path))
@click.option("--reference", help="Checkpoint or style that MODEL must equal.")
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="What a bare MODEL may cost.  [default: the manifest's, else fp32]",
)
@click.option("--photos", type=click.Path(path_type=Path), help="Folder of your own photographs.")
@click.option(
    "--size",
    "sizes",
    type=SIZE,
    multiple=True,
    help="Sizes for a dynamic model; repeatable.  [default: three, one of them odd]",
)
@json_option
def parity(
    models: tuple[Path, ...],
    reference: str | None,
    precision: str | None,
    photos: Path | None,
    sizes: tuple[Size, ...],
    as_json: bool,
) -> None:
    """Prove that each of MODELS is the same function as its PyTorch reference.

    MODELS are artifact folders (or folders above them) or, with --reference, bare model
    files that anyone made. Without MODELS: every artifact below artifacts/; if there is
    none, the shipped style is exported and judged. Exit code 1 if any input fails.
    """
    from toolkit.console import print_json
    from toolkit.images import list_images
    from toolkit.regimes import shipped_photos

    files = list_images(photos) if photos else shipped_photos()
    if not files:
        raise UsageError(f"{photos}: no pictures in it")
    outcomes: list[Report | _Broken] = []
    with _targets(models) as found:
        for model in found:
            outcomes.append(_outcome(model, reference, precision, files, sizes))
            if not as_json:
                _show(outcomes[-1])
    if as_json:
        print_json([outcome.to_dict() for outcome in outcomes])
    _finish(outcomes)


@dataclasses.dataclass(frozen=True)
class _Broken:
    """A model that could not be judged; the others still are."""

    candidate: str
    error: SttkError
    passed: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {"candidate": self.candidate, "error": str(self.error), "passed": False}


def _outcome(
    model: Path,
    reference: str | None,
    precision: str | None,
    files: list[Path],
    sizes: tuple[Size, ...],
) -> Report | _Broken:
    try:
        return _judge(model, reference, precision, files, sizes)
    except SttkError as error:
        return _Broken(str(model), error)


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
    if model.is_file():
        return [model]
    found = find_artifacts(model)
    if not found:
        raise UsageError(f"{model}: no artifact at or below it", fix="make one with 'sttk export'")
    return found


def _exported_default() -> AbstractContextManager[Path]:
    from exporters.artifact import temporary_artifact
    from exporters.base import Request
    from toolkit import styles

    click.echo(f"no artifacts below {_ROOT}/: exporting the style {styles.DEFAULT}", err=True)
    return temporary_artifact("onnx", Request(styles.find(styles.DEFAULT), size=None))


def _judge(
    model: Path,
    reference: str | None,
    precision: str | None,
    files: list[Path],
    sizes: tuple[Size, ...],
) -> Report:
    from toolkit import styles
    from toolkit.parity.run import judge_artifact, judge_model

    net = styles.find(reference) if reference else None
    if model.is_dir():
        return judge_artifact(model, net, precision, files, sizes)
    if net is None:
        raise UsageError(f"{model} has no manifest", fix="pass --reference CHECKPOINT")
    return judge_model(model, net, precision or "fp32", files, sizes)


def _show(report: Report | _Broken) -> None:
    from toolkit.console import print_table

    if isinstance(report, _Broken):
        click.echo(f"FAIL: {report.error}\n")
        return
    click.echo(f"{report.candidate} under {report.runtime} against {report.reference}")
    rows = [
        [
            row.name,
            f"{row.found.largest:.4f}",
            f"{row.found.mean:.5f}",
            f"{row.found.psnr:.1f}",
            "pass" if row.passed else f"FAIL {row.note}".rstrip(),
        ]
        for row in report.rows
    ]
    print_table(["input", "largest", "mean", "PSNR dB", ""], rows)
    for note in report.notes:
        click.echo(f"note: {note}")
    limits = dataclasses.asdict(report.limits)
    verdict = "pass" if report.passed else "FAIL"
    click.echo(
        f"{verdict}: allowed are {limits['largest']} of 255 and {limits['psnr']:.0f} dB at least\n"
    )
