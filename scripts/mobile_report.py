"""Measure mobile nets beside the full nets of their styles, on photographs that neither has seen.

usage: python scripts/mobile_report.py PHOTOS --paintings DIR --vgg FILE --write-cards -o REPORT.md

Both pictures are judged by the objective of the full net's card, which a mobile net's stages differ
from. With --write-cards the figures go into the cards in the nets' files, and those into NAME.md.
Without PHOTOS nothing is measured: what the cards hold is written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

from sttk.toolkit import styles
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.evaluation.mobile_comparison import KEY, MobileComparison, Pair
from sttk.toolkit.evaluation.own_loss import own_loss
from sttk.toolkit.evaluation.style_record import record
from sttk.toolkit.gatys.equal import losses_of
from sttk.toolkit.imaging.images import list_images
from sttk.toolkit.imaging.regimes import photographs
from sttk.toolkit.io.files import write_atomic
from sttk.toolkit.losses.perceptual import PerceptualLoss

_TERMS = ("content", "style", "tv", "color", "total")


def main() -> int:
    """Entry point."""
    options = _options()
    found = {name: _comparison(name, options) for name in options.styles}
    if options.output:
        write_atomic(options.output, _markdown(found, f"python {' '.join(sys.argv)}").encode())
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, nargs="?")
    parser.add_argument("--paintings", type=Path, action="append", default=[])
    parser.add_argument("--vgg", type=Path)
    parser.add_argument("--styles", nargs="+", default=styles.small_names())
    parser.add_argument("--count", type=int, default=12, help="photographs")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 384), metavar=("H", "W"))
    parser.add_argument("--write-cards", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    if options.photos and not (options.vgg and options.paintings):
        parser.error("to measure, --paintings and --vgg are needed")
    return options


def _comparison(name: str, options: argparse.Namespace) -> MobileComparison:
    net = styles.find(name)
    card = net.origin.card
    if options.photos:
        card = {**card, KEY: _measure(net, options).to_dict()}
    if options.write_cards:
        record(name, card)
    comparison = MobileComparison.from_card(card)
    if comparison is None:
        raise UsageError(f"{name}: its card holds no figures", fix="pass PHOTOS to measure it")
    return comparison


def _measure(net: StyleNet, options: argparse.Namespace) -> MobileComparison:
    full = styles.find(net.origin.card["teacher"]["name"])
    loss = own_loss(full, options.paintings, options.vgg)
    height, width = options.size
    files = list_images(options.photos)[: options.count]
    pairs = []
    for file, batch in zip(files, photographs(files, (height, width)), strict=True):
        photo = torch.from_numpy(batch)
        pairs.append(Pair(file.stem, *(_losses(loss, photo, each) for each in (net, full))))
        print(net.origin.name, file.stem, f"{pairs[-1].ratio:.3f}", file=sys.stderr, flush=True)  # noqa: T201
    return MobileComparison(full.origin.name, (height, width), tuple(pairs))


def _losses(loss: PerceptualLoss, photo: Tensor, net: StyleNet) -> dict[str, float]:
    with torch.inference_mode():
        return losses_of(loss, photo, net(photo))


def _markdown(found: dict[str, MobileComparison], command: str) -> str:
    intro = (
        "The loss of a mobile net's picture by that of the full net's picture of the same\n"
        "photograph, both by the full net's own objective (its card has it), on photographs that\n"
        "neither was trained on. Under 1 the mobile net is better."
    )
    sections = [_section(name, comparison) for name, comparison in found.items()]
    parts = ["# Mobile nets beside the full nets", intro, _summary(found), *sections]
    return "\n\n".join([*parts, f"Made by: `{command}`"]) + "\n"


def _summary(found: dict[str, MobileComparison]) -> str:
    rows = [["net", "photographs", "pixels", *_TERMS, "worst"], ["---"] * (4 + len(_TERMS))]
    for name, comparison in found.items():
        ratios = [f"{comparison.terms()[term]:.2f}" for term in _TERMS]
        worst = max(pair.ratio for pair in comparison.pairs)
        size = "x".join(map(str, comparison.size))
        rows.append([name, str(len(comparison.pairs)), size, *ratios, f"{worst:.2f}"])
    return "Medians of the ratios; the worst photograph's total.\n\n" + _table(rows)


def _section(name: str, comparison: MobileComparison) -> str:
    rows = [["photograph", name, comparison.full, "ratio"], ["---"] * 4]
    for pair in comparison.pairs:
        totals = [f"{losses['total']:,.0f}" for losses in (pair.small, pair.full)]
        rows.append([pair.name, *totals, f"{pair.ratio:.3f}"])
    return f"## {name}\n\n{_table(rows)}"


def _table(rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
