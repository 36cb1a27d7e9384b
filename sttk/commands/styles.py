"""``sttk styles``."""

from __future__ import annotations

from typing import Any

import click

from sttk.commands.options import json_option


@click.command(short_help="List the styles that sttk ships.")
@click.option("--layouts", is_flag=True, help="List the checkpoint layouts that sttk reads.")
@json_option
def styles(layouts: bool, as_json: bool) -> None:
    """List the styles that sttk ships, or the checkpoint layouts that it reads.

    For each style: its loss on photographs that it was not trained on, divided by the loss of 100
    iterations of Gatys' optimisation from noise (under 1 is better), and how many iterations are
    as good. For a mobile net, such as 1.07x: its loss divided by that of the full net of the same
    style. --json prints the whole cards, with recipes and losses.
    """
    from sttk.toolkit.io.console import print_json, print_table

    if layouts:
        columns, rows = _layouts()
        listed = [dict(zip(columns, row, strict=True)) for row in rows]
    else:
        cards = _cards()
        columns = ["style", "painting", "licence", "loss", "equal"]
        rows = [_row(name, card) for name, card in cards.items()]
        listed = [{**card, "style": name} for name, card in cards.items()]
    if as_json:
        print_json(listed)
    else:
        print_table(columns, rows)


def _cards() -> dict[str, dict[str, Any]]:
    from sttk.toolkit import styles as shipped

    return {name: shipped.find(name).origin.card for name in shipped.names()}


def _row(name: str, card: dict[str, Any]) -> list[str]:
    from sttk.toolkit.evaluation.held_out import HeldOut
    from sttk.toolkit.evaluation.mobile_comparison import MobileComparison
    from sttk.toolkit.styles.painting import title

    row = [name, title(card), card["licence"]]
    if comparison := MobileComparison.from_card(card):
        return [*row, f"{comparison.ratio:.2f}x", ""]
    held = HeldOut.from_card(card)
    if held is None:
        return [*row, "", ""]
    return [*row, f"{held.ratio(held.starts[0]):.2f}", held.equal(held.starts[0])]


def _layouts() -> tuple[list[str], list[list[str]]]:
    from sttk.toolkit.checkpoints import described

    return ["layout", "known by"], [list(row) for row in described()]
