"""``sttk tune``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sttk.commands.options import SIZE, json_option
from sttk.toolkit.core.shapes import Size
from sttk.workflows.guesses import strict_option

if TYPE_CHECKING:
    from sttk.toolkit.runtimes.base import Settings
    from sttk.workflows.tune import Trial, Tuning

# The slowest picture of 15 rounds, in medians, above which the order may be chance.
_BUSY = 1.5


@click.command(short_help="Choose an artifact's settings by measurement, on this machine.")
@click.argument("artifacts", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--size",
    type=SIZE,
    default="512",
    show_default=True,
    help="Of the picture, for models that take any: N or HxW.",
)
@strict_option
@json_option
def tune(artifacts: tuple[Path, ...], size: Size, as_json: bool) -> None:
    """Time what the runtime of each of ARTIFACTS can choose: arithmetic, threads, layout.

    ARTIFACTS are folders, or folders above them.  [default: artifacts/]  The fastest settings
    whose pictures hold the artifact's promise are recorded in its manifest. 'sttk stylize
    --artifact' and 'sttk video --artifact' then run it so, on a machine of this kind.
    """
    from sttk.toolkit.core.errors import NotRunError
    from sttk.toolkit.imaging.regimes import shipped_photos
    from sttk.toolkit.io.console import print_json, progress
    from sttk.toolkit.opened.artifact import open_entry
    from sttk.toolkit.opened.verify import artifacts_at
    from sttk.toolkit.parity.run import ParityConfig
    from sttk.workflows.tune import tune as choose

    tuned, last = [], None
    for entry in artifacts_at(artifacts or (Path("artifacts"),)):
        folder = entry.folder
        try:
            with progress(f"tuning {folder}", total=1) as update:
                tuning = choose(open_entry(entry), ParityConfig(shipped_photos()), size, update)
        except NotRunError as error:
            click.echo(f"not run: {folder}: {error}", err=True)
            last = error
            continue
        tuned.append({"artifact": str(folder), **tuning.to_dict()})
        if not as_json:
            _show(folder, tuning)
    if as_json:
        print_json(tuned)
    if last and not tuned:
        raise last


def _show(folder: Path, tuning: Tuning) -> None:
    from sttk.toolkit.io.console import print_table

    chosen, default = tuning.chosen, tuning.trials[0].milliseconds
    click.echo(f"{folder}: {tuning.runtime}, {chosen.size[0]}x{chosen.size[1]}")
    rows = [_row(trial, default) for trial in sorted(tuning.trials, key=lambda t: t.milliseconds)]
    print_table(["settings", "ms", "times as fast", "parity"], rows)
    click.echo(f"chosen: {_words(chosen.settings)}")
    if (slowest := tuning.trials[0].slowest) > _BUSY:
        click.echo(
            f"noisy: the slowest picture took {slowest:.1f} times the median's; run it again"
        )
    click.echo()


def _row(trial: Trial, default: float) -> list[str]:
    ratio = f"{default / trial.milliseconds:.2f}"
    said = {"default": "its promise", "": "not asked"}.get(trial.verdict, trial.verdict)
    return [_words(trial.settings), f"{trial.milliseconds:.1f}", ratio, said]


def _words(settings: Settings) -> str:
    """Return settings as people say them: ``bf16, 2 threads``."""
    threads = settings.threads
    parts = [
        settings.inference_precision,
        f"{threads} thread{'s' if threads > 1 else ''}" if threads else None,
        f"{settings.layout} layout" if settings.layout else None,
    ]
    return ", ".join(filter(None, parts)) or "its own choice"
