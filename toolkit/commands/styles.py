"""``sttk styles``."""

from __future__ import annotations

import click

from toolkit.commands.options import json_option


@click.command(short_help="List the styles that sttk ships.")
@click.option("--layouts", is_flag=True, help="List the checkpoint layouts that sttk reads.")
@json_option
def styles(layouts: bool, as_json: bool) -> None:
    """List the styles that sttk ships, or the checkpoint layouts that it reads."""
    from toolkit.console import print_json, print_table

    columns, rows = _layouts() if layouts else _styles()
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(columns, rows)


def _styles() -> tuple[list[str], list[list[str]]]:
    from toolkit import styles as shipped

    cards = [(name, shipped.find(name).origin.card) for name in shipped.names()]
    rows = [[name, card.get("painting", ""), card.get("licence", "")] for name, card in cards]
    return ["style", "painting", "licence"], rows


def _layouts() -> tuple[list[str], list[list[str]]]:
    from toolkit.checkpoints import LAYOUTS, native, onnx_graph

    rows = [[native.NAME, native.DESCRIPTION], [onnx_graph.NAME, onnx_graph.DESCRIPTION]]
    rows += [[layout.NAME, layout.DESCRIPTION] for layout in LAYOUTS]
    return ["layout", "known by"], rows
