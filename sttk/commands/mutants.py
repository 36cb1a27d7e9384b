"""``sttk mutants``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sttk import exporters
from sttk.commands.options import OUTPUT, SIZE, json_option
from sttk.toolkit import devices, targets
from sttk.toolkit.core.contract import PRECISIONS
from sttk.toolkit.core.errors import ParityError, UsageError
from sttk.toolkit.core.shapes import Size
from sttk.workflows.guesses import strict_option

if TYPE_CHECKING:
    from sttk.toolkit.core.contract import Precision
    from sttk.workflows.mutation import Column, KillTable


@click.command(short_help="Test the parity gate with faulty models.")
@click.argument("style", required=False)
@click.option(
    "--target",
    "made",
    type=click.Choice(exporters.names()),
    multiple=True,
    default=[each.name for each in exporters.exportable() if each.mutated],
    show_default=True,
    help="Target to export to; repeatable.",
)
@click.option(
    "--precision",
    "precisions",
    type=click.Choice(PRECISIONS),
    multiple=True,
    help="Precision of the models; repeatable.  [default: each target's own]",
)
@click.option(
    "--device",
    "chosen",
    type=click.Choice(devices.NAMES),
    multiple=True,
    default=[devices.DEFAULT],
    show_default=True,
    help="Device on which the models are judged ('sttk devices'); repeatable.",
)
@click.option(
    "--size", type=SIZE, default="128", show_default=True, help="Size of the pictures, N or HxW."
)
@click.option("--markdown", type=OUTPUT, help="Write the table to this file.")
@strict_option
@json_option
def mutants(
    style: str | None,
    made: tuple[str, ...],
    precisions: tuple[Precision, ...],
    chosen: tuple[str, ...],
    size: Size,
    markdown: Path | None,
    as_json: bool,
) -> None:
    """Put faults into STYLE, one at a time, and check that parity catches each of them.

    STYLE is a shipped style or a checkpoint file (default: ink). The faults are wrong pads, norms,
    weights, channels and ranges. Each faulty net is exported and judged as by 'sttk parity', and
    must fail; the unchanged net must pass. The exit code is 1 if not.

    A fault takes some 10 s at 128x128, and about a minute at 512x512; on an emulated device, ten
    times as long.
    """
    from sttk.toolkit import styles
    from sttk.toolkit.io.console import print_json, progress
    from sttk.toolkit.io.outputs import check_output, write_output
    from sttk.toolkit.parity.mutants import MUTANTS
    from sttk.workflows.mutation import kill_table

    if markdown:
        check_output(markdown)
    columns = _columns(made, precisions, chosen)
    net = styles.find(style or styles.DEFAULT)
    with progress("mutants", total=1 + len(MUTANTS)) as update:
        table = kill_table(net, columns, size, update)
    if markdown:
        from sttk.workflows.kill_report import to_markdown

        write_output(markdown, to_markdown(table))
    if as_json:
        print_json(table.to_dict())
    else:
        _show(table)
    _finish(table)


def _columns(
    chosen: tuple[str, ...], precisions: tuple[Precision, ...], where: tuple[str, ...]
) -> list[Column]:
    """Return the columns of the table: what is chosen and can be, each device with what it runs.

    Raises:
        UsageError: there are none.
        NotRunError: a device is not here.
    """
    from sttk.workflows.mutation import Column

    columns = []
    for name in dict.fromkeys(chosen):
        able, known = exporters.exporter(name), targets.target(name)
        made = [each for each in precisions or able.precisions[:1] if each in able.precisions]
        for device in map(devices.device, dict.fromkeys(where)):
            judged = [each for each in made if device.judges(known, each)]
            if judged:
                device.check(known)
            columns += [Column(name, each, device.name) for each in judged]
    if not columns:
        raise UsageError(
            f"{', '.join(where)} runs no such model", fix="see the targets in 'sttk devices'"
        )
    return columns


def _show(table: KillTable) -> None:
    from sttk.toolkit.io.console import print_table
    from sttk.workflows.kill_report import cells, summary

    print_table(["fault", *map(str, table.columns)], cells(table))
    for line in summary(table):
        click.echo(line)


def _finish(table: KillTable) -> None:
    from sttk.workflows.mutation import NO_FAULT, SURVIVED

    alarms = [str(each.column) for each in table.clean if each.verdict != NO_FAULT]
    if alarms:
        raise ParityError(f"the net as it is fails: {', '.join(alarms)}")
    if survived := table.of(SURVIVED):
        named = ", ".join(f"{each.mutant} ({each.column})" for each in survived)
        raise ParityError(f"{len(survived)} survived: {named}")
    if not table.passed:
        raise ParityError("none of the faults is one for this net: nothing is proven")
