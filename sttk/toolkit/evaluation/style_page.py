"""The part of a model card (``NAME.md``) that is generated from the card in the net's file.

It is delimited by two comments; everything else on the page is written by hand.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from sttk.toolkit.evaluation.held_out import HeldOut
from sttk.toolkit.evaluation.mobile_comparison import MobileComparison
from sttk.toolkit.losses.objective import Objective
from sttk.toolkit.nets.trainable import SIZES, spec_from
from sttk.toolkit.styles.painting import CUT
from sttk.toolkit.training.recipe import Recipe

BEGIN = "<!-- From the net's own card, by scripts/style_report.py: do not edit. -->"
END = "<!-- End of the net's own card. -->"
_TEACHER_WEIGHT = 30.0  # the default of --teacher-weight
_OPTIONS = ("batch", "size", "style_size", "learning_rate", "seed")
_TERMS = {
    "content": "content",
    "style": "style",
    "tv": "total variation",
    "color": "colour",
    "peak": "peakedness",
    "teacher": "likeness to the teacher",
    "total": "total",
}
_WEIGHTS = ("content_layer", "content_weight", "style_weight", "tv_weight")


def with_facts(text: str, card: dict[str, Any]) -> str:
    """Return a model card's text with its generated part updated, or appended if missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        before, after = f"{text.rstrip()}\n\n", "\n"
    return f"{before}{BEGIN}\n\n{facts(card)}\n\n{END}{after}"


def facts(card: dict[str, Any]) -> str:
    """Return the content of the card as Markdown."""
    table = [f"| {name} | {value} |" for name, value in _rows(card)]
    parts = ["\n".join(["| | |", "|---|---|", *table]), f"    {command(card)}"]
    if held := HeldOut.from_card(card):
        parts.append(_held_out(held))
    if comparison := MobileComparison.from_card(card):
        parts.append(_comparison(comparison))
    return "\n\n".join(parts)


def command(card: dict[str, Any]) -> str:
    """Return the ``sttk train`` command of the recipe, without options at their defaults."""
    recipe, default = card["recipe"], Recipe().to_dict()
    words = ["sttk", "train", "--style", card["painting"], "--content", "PHOTOS", "--vgg", "VGG"]
    words += ["--net", small] if (small := _size_of(recipe["spec"])) else []
    words += ["--init", "START"] if "start" in card else []
    length = "steps" if recipe["steps"] else "minutes"
    words += [f"--{length}", f"{recipe[length]:g}"]
    pairs = [(name, recipe[name], default[name]) for name in _OPTIONS]
    pairs += [(name, recipe["objective"][name], default["objective"][name]) for name in _WEIGHTS]
    if "teacher" in card:
        words += ["--teacher", card["teacher"]["name"]]
        pairs.append(("teacher_weight", recipe["teacher_weight"], _TEACHER_WEIGHT))
    for name, value, usual in pairs:
        if value != usual:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join([*words, "--name", card["name"]])


def _rows(card: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "net", _net(card["recipe"]["spec"])
    yield "painting", f"`{card['painting']}`{_cut(card)}"
    yield "licence of the painting", card["licence"]
    yield "photographs", f"{card['photographs']:,}"
    yield "objective", _objective(card)
    yield "training", _training(card)
    if "machine" in card:
        yield "trained on", card["machine"]
    yield "losses of the last steps", _terms(card["losses"])


def _size_of(spec: dict[str, Any]) -> str:
    """Return the net's name for ``--net``; empty for a Johnson net."""
    kind = "mobile" if "trunk" in spec else "johnson"
    found = spec_from({"net": kind, "spec": spec})  # older cards lack fields that have defaults
    names = (name for name, size in SIZES.items() if size == found)
    return next((name for name in names if name != "johnson"), "")


def _net(spec: dict[str, Any]) -> str:
    if "trunk" in spec:
        inverted = f" inverted x{spec['expand']}" if spec.get("expand") else ""
        return (
            f"{_size_of(spec) or 'mobile net'}: stem {spec['stem']}, trunk {spec['trunk']}, "
            f"{spec['blocks']}{inverted} residual blocks, head {spec['head']}"
        )
    widths = "/".join(map(str, spec["widths"]))
    return (
        f"Johnson net {widths}, {spec['blocks']} residual blocks, {spec['norm']} norm, "
        f"{spec['upsample']} upsampling, {spec['output']} output"
    )


def stages(card: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the cards of all training stages, from the first to the net's own.

    A start from a net without a training record is not included.
    """
    earlier = card.get("start", {})
    return [*(stages(earlier) if "steps" in earlier else []), card]


def _training(card: dict[str, Any]) -> str:
    first, *_ = past = stages(card)
    begun = "a net without a record, then " if "start" in first else ""
    return begun + "; then ".join(map(_stage, past))


def _stage(card: dict[str, Any]) -> str:
    recipe = card["recipe"]
    return (
        f"{card['steps']:,} steps of {recipe['batch']} crops of {recipe['size']} px on "
        f"`{card['painting']}`, {recipe['precision']}, {card['minutes']:g} minutes"
    )


def _cut(card: dict[str, Any]) -> str:
    if CUT not in card:
        return ""
    left, top, right, bottom = card[CUT]["box"]
    return f": of `{card[CUT]['file']}` columns {left} to {right}, rows {top} to {bottom}"


def _objective(card: dict[str, Any]) -> str:
    aim = Objective.from_dict(card["recipe"]["objective"])
    teacher = (
        f"; the picture of {card['teacher']['name']} x {card['recipe']['teacher_weight']:g}"
        if "teacher" in card
        else ""
    )
    return (
        f"{card['loss_network']}; content {aim.content_layer} x {aim.content_weight:g}; style "
        f"{', '.join(aim.style_layers)} x {aim.style_weight:g}; total variation x "
        f"{aim.tv_weight:g}; colour x {aim.color_weight:g}; peakedness x {aim.peak_weight:g}; "
        f"border {aim.border} px{teacher}"
    )


def _terms(losses: dict[str, float]) -> str:
    named = [(title, losses[name]) for name, title in _TERMS.items() if name in losses]
    return "; ".join(f"{title} {value:,.0f}" for title, value in named)


def _held_out(held: HeldOut) -> str:
    said = f"On {len(held.photographs)} photographs not trained on, at {held.size} px"
    compared = f"the net's loss by its loss after {held.iterations} iterations"
    rows = [
        ["Gatys' optimisation of the same", *(f"from {start}" for start in held.starts)],
        ["---"] * (len(held.starts) + 1),
        [compared, *(f"{held.ratio(start):.2f}" for start in held.starts)],
        ["iterations that reach the net's loss, median", *map(held.equal, held.starts)],
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"{said}: {_terms(held.losses)}.", "", *lines])


def _comparison(comparison: MobileComparison) -> str:
    height, width = comparison.size
    ratios = comparison.terms()
    terms = "; ".join(f"{_TERMS[name]} {ratios[name]:.2f}" for name in _TERMS if name in ratios)
    return (
        f"On {len(comparison.pairs)} photographs not trained on, at {height}x{width}, its losses "
        f"by those of {comparison.full}, medians: {terms}."
    )
