"""``sttk verify``."""

from __future__ import annotations

from pathlib import Path

import click

from sttk.commands.options import json_option
from sttk.toolkit.core.errors import VerifyError
from sttk.toolkit.devices import NAMES

_ROOT = Path("artifacts")


@click.command(short_help="Check that artifacts are what was exported.")
@click.argument("folders", nargs=-1, metavar="[DIR]...", type=click.Path(path_type=Path))
@click.option("--require-checkpoint", is_flag=True, help="Fail if a checkpoint is missing.")
@click.option("--require-parity", is_flag=True, help="Fail if a model has not been proven.")
@click.option(
    "--require-device",
    "devices",
    type=click.Choice(NAMES[1:]),
    multiple=True,
    help="Fail if a model that this device runs has not been proven there; repeatable.",
)
@json_option
def verify(
    folders: tuple[Path, ...],
    require_checkpoint: bool,
    require_parity: bool,
    devices: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check that each artifact at or below DIR is what was exported.

    Every file must have the hash in the manifest, and there must be no other file; the checkpoint,
    if it is here, must be the one that was exported; parity, if it was run, must have been run on
    this model and have passed. Without DIR, every artifact below artifacts/ is checked. The exit
    code is 1 if any fails, 2 if there is none or a manifest cannot be read.
    """
    from sttk.toolkit.io.console import print_json
    from sttk.toolkit.io.text import printable
    from sttk.toolkit.opened.verify import artifacts_at
    from sttk.toolkit.opened.verify import verify as ask

    found = artifacts_at(folders or (_ROOT,))
    verdicts = []
    for entry in found:
        verdict = ask(
            entry,
            require_checkpoint=require_checkpoint,
            require_parity=require_parity,
            require_devices=devices,
        )
        verdicts.append(verdict)
        if not as_json:
            click.echo(printable(str(verdicts[-1])))
    if as_json:
        print_json([verdict.to_dict() for verdict in verdicts])
    failed = [str(verdict.folder) for verdict in verdicts if not verdict.passed]
    if failed:
        error = VerifyError(f"{len(failed)} of {len(verdicts)} fail: {', '.join(failed)}")
        error.exit_code = 1 if all(verdict.readable for verdict in verdicts) else 2
        raise error
