"""The report of ``sttk export``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from sttk.toolkit.core.errors import SttkError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sttk.toolkit.artifact.search import Entry


def finish(results: Iterable[Entry | SttkError], as_json: bool) -> None:
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


def _report(entries: list[Entry], as_json: bool) -> None:
    from sttk.toolkit.core.plan import Plan
    from sttk.toolkit.io.console import print_json
    from sttk.toolkit.io.text import printable

    facts = [_facts(entry) for entry in entries]
    if as_json:
        print_json(facts)
        return
    for fact in facts:
        click.echo(f"{fact['artifact']}: {fact['model']}, {fact['bytes'] / 1e6:.1f} MB")
        if len(fact["plan"]) > 1:
            click.echo(f"  by the plan: {printable(str(Plan.from_dict(fact['plan'])))}")
        if coverage := fact["calibration"]:
            kinds = ", ".join(f"{coverage[kind]} {kind}" for kind in ("dark", "bright", "blurred"))
            click.echo(f"  calibrated on {coverage['pictures']} pictures, {kinds}")
    if entries:
        click.echo(f"next: sttk parity {_common([entry.folder for entry in entries])}")


def _common(folders: list[Path]) -> str:
    """Return the only artifact, or the folder that all of them are in."""
    return os.path.commonpath(folders)


def _facts(entry: Entry) -> dict[str, Any]:
    from sttk.toolkit.core.plan import DEFAULT

    folder, manifest = entry.folder, entry.manifest
    others = (manifest.graph, "README.md")
    size = sum((folder / name).stat().st_size for name in manifest.files if name not in others)
    coverage = manifest.quantization["coverage"] if manifest.quantization else None
    return {
        "artifact": str(folder),
        "model": manifest.model,
        "bytes": size,
        "calibration": coverage,
        "plan": manifest.plan or {DEFAULT: manifest.target.precision},
    }
