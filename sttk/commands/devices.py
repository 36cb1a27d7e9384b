"""``sttk devices``."""

from __future__ import annotations

from typing import Any

import click

from sttk.commands.options import json_option
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.devices import NAMES


@click.command(short_help="List the devices that parity can run models on.")
@click.option(
    "--install",
    "wanted",
    type=click.Choice(NAMES[1:]),
    multiple=True,
    help="Install what this device lacks, as far as that needs no root; repeatable.",
)
@json_option
def devices(wanted: tuple[str, ...], as_json: bool) -> None:
    """List the devices on which 'sttk parity --device' can run models.

    A device is an arithmetic and what computes it. Only this host is sure to be here; the others
    are emulated, or computed in software, where there is no such hardware. The exit code is 3 if
    something could not be installed; the message says what needs root.
    """
    from sttk.toolkit.devices import device, every
    from sttk.toolkit.io.console import print_json, print_table

    if wanted and as_json:
        raise UsageError("--install and --json: give one of them")
    for name in wanted:
        device(name).install(lambda line: click.echo(line, err=True))
    found = [_described(each) for each in every()]
    if as_json:
        print_json(found)
        return
    print_table(["device", "computes", "runs", "here"], [_cells(each) for each in found])


def _described(device: Any) -> dict[str, Any]:
    from sttk.toolkit import targets

    able = [each for each in targets.every() if device.runs(each)]
    lacking = device.lacking()
    return {
        "name": device.name,
        "about": device.about,
        "kind": device.kind,
        "machine": device.machine,
        "features": list(device.features()),
        "targets": [each.name for each in able],
        "here": not lacking,
        "lacking": [{"what": need.what, "fix": need.fix, "root": need.root} for need in lacking],
    }


def _cells(found: dict[str, Any]) -> list[str]:
    features = f": {', '.join(found['features'])}" if found["features"] else ""
    here = (
        "yes"
        if found["here"]
        else "no: "
        + "; ".join(
            f"{'as root: ' if each['root'] else ''}{each['fix']}" for each in found["lacking"]
        )
    )
    kind = f"{found['machine']}, {found['kind']}"
    return [found["name"], f"{kind}{features}", ", ".join(found["targets"]), here]
