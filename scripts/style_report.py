"""Measure the shipped styles on photographs that they were not trained on; write it everywhere.

usage: python scripts/style_report.py PHOTOS --paintings DIR --vgg FILE --write-cards -o REPORT.md

Each net's loss, by its own objective, stands beside that of Gatys' optimisation (L-BFGS) of the
same photograph: after 100 iterations, and how many are as good. The term "peak", which is of the
net's inner features, is no part of the comparison. With --write-cards the figures go into the
cards in the nets' files as soon as a style is measured, and the cards into NAME.md. Without PHOTOS
nothing is measured: what the cards hold is written. --sheet draws the styles side by side.
"""

from __future__ import annotations

import argparse
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sttk.toolkit import styles
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.evaluation.held_out import KEY, STARTS, HeldOut, Measured, Optimised
from sttk.toolkit.evaluation.own_loss import own_loss
from sttk.toolkit.evaluation.side_by_side import side_by_side
from sttk.toolkit.evaluation.style_record import record
from sttk.toolkit.gatys.equal import equal_iterations, losses_of
from sttk.toolkit.gatys.optimise import optimise, white_noise
from sttk.toolkit.host.machine import cpu
from sttk.toolkit.imaging.images import list_images
from sttk.toolkit.imaging.regimes import photographs, shipped_photos
from sttk.toolkit.imaging.sheet import to_jpeg
from sttk.toolkit.io.files import write_atomic
from sttk.toolkit.losses.perceptual import PerceptualLoss

_ITERATIONS = 100
_SHEET_BYTES = 400_000


def main() -> int:
    """Entry point."""
    options = _options()
    if options.sheet:
        nets = {name: styles.find(name) for name in options.styles}
        write_atomic(options.sheet, to_jpeg(side_by_side(shipped_photos(), nets), _SHEET_BYTES))
    cards = {name: _card(name, options) for name in options.styles}
    if options.output:
        found = {name: _held_out(name, card) for name, card in cards.items()}
        command = f"python {' '.join(sys.argv)}"
        write_atomic(options.output, _markdown(found, command).encode())
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, nargs="?")
    parser.add_argument("--paintings", type=Path, action="append", default=[])
    parser.add_argument("--vgg", type=Path)
    parser.add_argument("--styles", nargs="+", default=styles.full_names())
    parser.add_argument("--starts", nargs="+", default=STARTS, choices=STARTS)
    parser.add_argument("--count", type=int, default=4, help="photographs")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--most", type=int, default=500, help="iterations searched")
    parser.add_argument("--write-cards", action="store_true")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    if options.photos and not (options.vgg and options.paintings):
        parser.error("to measure, --paintings and --vgg are needed")
    return options


def _card(name: str, options: argparse.Namespace) -> dict[str, Any]:
    net = styles.find(name)
    card = net.origin.card
    if options.photos:
        card = {**card, KEY: _measure(net, options).to_dict()}
    if options.write_cards:
        record(name, card)
    return card


def _held_out(name: str, card: dict[str, Any]) -> HeldOut:
    held = HeldOut.from_card(card)
    if held is None:
        raise UsageError(f"{name}: its card holds no figures", fix="pass PHOTOS to measure it")
    return held


def _measure(net: StyleNet, options: argparse.Namespace) -> HeldOut:
    loss = own_loss(net, options.paintings, options.vgg)
    files = list_images(options.photos)[: options.count]
    batches = photographs(files, (options.size, options.size))
    measured = [
        _measured(file.stem, torch.from_numpy(batch), net, loss, options)
        for file, batch in zip(files, batches, strict=True)
    ]
    return HeldOut(tuple(measured), options.size, _ITERATIONS, options.most, _machine())


def _measured(
    name: str, photo: Tensor, net: StyleNet, loss: PerceptualLoss, options: argparse.Namespace
) -> Measured:
    with torch.inference_mode():
        picture = net(photo)
    losses = losses_of(loss, photo, picture)
    optimised = {}
    content = loss.content_of(photo)
    for start in options.starts:
        begin = photo if start == "content" else white_noise(photo, seed=0)
        steps = optimise(loss, content, begin, iterations=options.most)
        curve = equal_iterations(losses["total"], steps, least=_ITERATIONS)
        optimised[start] = Optimised(curve.curve[_ITERATIONS], curve.iterations)
        print(net.origin.name, name, start, optimised[start], file=sys.stderr, flush=True)  # noqa: T201
    return Measured(name, losses, optimised)


def _machine() -> str:
    processor = cpu()
    return (
        f"{processor.name}, {processor.cores} cores, {torch.get_num_threads()} threads, "
        f"torch {version('torch')}, Python {platform.python_version()}"
    )


def _markdown(found: dict[str, HeldOut], command: str) -> str:
    intro = (
        "Nets on photographs that they were not trained on, beside Gatys' optimisation of the\n"
        "same objective (its own, in each net's card) with L-BFGS, from white noise and from the\n"
        'photograph. "Peak", a term of the net\'s inner features, is not in the totals. A ratio\n'
        "under 1 says that the net's picture is better than the optimised one."
    )
    sections = [_section(name, held) for name, held in found.items()]
    parts = ["# Shipped styles", intro, _summary(found), *sections, f"Made by: `{command}`"]
    return "\n\n".join(parts) + "\n"


def _summary(found: dict[str, HeldOut]) -> str:
    rows = [
        [
            "style",
            "start",
            "net's loss",
            "optimised",
            "net / optimised",
            "equal iterations, median",
        ],
        ["---"] * 6,
    ]
    for name, held in found.items():
        for start in held.starts:
            total, optimised = held.losses["total"], held.optimised(start)
            figures = [f"{total:,.0f}", f"{optimised:,.0f}", f"{held.ratio(start):.2f}"]
            rows.append([name, start, *figures, held.equal(start)])
    return _table(rows)


def _section(name: str, held: HeldOut) -> str:
    terms = list(held.losses)
    after = [f"{start}: after {held.iterations}, ratio, equal" for start in held.starts]
    rows = [["photograph", *terms, *after], ["---"] * (1 + len(terms) + len(after))]
    rows += [_row(each, held) for each in held.photographs]
    said = f"{held.size} px; up to {held.most} iterations; {held.machine}."
    return f"## {name}\n\n{said}\n\n{_table(rows)}"


def _row(each: Measured, held: HeldOut) -> list[str]:
    total = each.losses["total"]
    cells = [each.name, *(f"{value:,.0f}" for value in each.losses.values())]
    return cells + [
        f"{one.total:,.0f}, {total / one.total:.2f}, {held.iterations_text(one.equal)}"
        for one in each.optimised.values()
    ]


def _table(rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
