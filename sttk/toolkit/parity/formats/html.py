"""The HTML report: every verdict with its figures and pictures.

It is one file without external resources, to be sent by mail or kept as a build's artifact.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from sttk.toolkit.io.pages import page_template
from sttk.toolkit.parity import heat, judge
from sttk.toolkit.parity.compare import REFERENCE, Row
from sttk.toolkit.parity.environment import environment
from sttk.toolkit.parity.formats.phrases import (
    FAIL,
    NOT_RUN,
    PASS,
    headline,
    notes,
    rung,
    skipped,
    status,
    verdict,
)
from sttk.toolkit.parity.metrics import BORDER
from sttk.toolkit.parity.outcome import Judged, Outcome
from sttk.toolkit.parity.pictures import Exhibit
from sttk.toolkit.parity.show import decibels, reason, title


@dataclass(frozen=True)
class Picture:
    """An image of the page: ``source`` is a data URI, or "" with the reason in ``text``."""

    label: str
    text: str
    source: str = ""


@dataclass(frozen=True)
class Line:
    """One input, as the page shows it; ``style`` is empty where styles were not compared."""

    anchor: str
    title: str
    regime: str
    status: str
    css_class: str
    figures: tuple[str, ...]
    style: tuple[str, ...]
    note: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Section:
    """One model, as the page shows it."""

    anchor: str
    name: str
    status: str
    css_class: str
    verdict: str
    facts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()


def html(outcomes: Sequence[Outcome]) -> str:
    """Return the page; the same outcomes on the same machine give the same page."""
    return page_template("sttk.toolkit.parity.formats").render(
        headline=headline(outcomes),
        **_whole(outcomes),
        sections=[_section(*each) for each in enumerate(outcomes, 1)],
        environment=environment(),
        border=BORDER,
        ticks=[(f"{tick:g}", f"{100 * heat.position(tick):.1f}") for tick in heat.TICKS],
        colours=["#{:02x}{:02x}{:02x}".format(*colour) for colour in heat.SCALE],
        odd_colour="#{:02x}{:02x}{:02x}".format(*heat.NOT_FINITE),
    )


def _whole(outcomes: Sequence[Outcome]) -> dict[str, str]:
    statuses = [status(outcome) for outcome in outcomes]
    worst = next((each for each in (FAIL, NOT_RUN) if each in statuses), PASS)
    return {"status": worst, "css_class": _css_class(outcomes)}


def _css_class(outcomes: Sequence[Outcome]) -> str:
    if not all(outcome.passed for outcome in outcomes):
        return "bad"
    return "good" if all(status(outcome) == PASS for outcome in outcomes) else "open"


def _section(number: int, outcome: Outcome) -> Section:
    bare = Section(
        f"model-{number}",
        outcome.candidate,
        status(outcome),
        _css_class([outcome]),
        verdict(outcome),
    )
    if not isinstance(outcome, Judged):
        return bare
    report = outcome.report
    facts = (
        ("promised", report.promise),
        ("runtime", report.runtime),
        ("arithmetic", str(report.evidence or "")),
        ("reference", report.reference),
        *((check.name, _checked(check.passed, check.detail)) for check in report.checks),
    )
    pairs = zip_longest(report.rows, outcome.exhibits)
    lines = tuple(_line(f"input-{number}-{i}", *pair) for i, pair in enumerate(pairs, 1))
    return replace(bare, facts=facts, notes=notes(outcome), lines=lines)


def _checked(passed: bool, detail: str) -> str:
    return f"{PASS if passed else FAIL}{': ' * bool(detail)}{detail}"


def _line(anchor: str, row: Row, exhibit: Exhibit | None) -> Line:
    css_class = "good" if row.judged or row.rung == judge.FINITE else "open"
    pictures = tuple(_pictures(row, exhibit)) if exhibit else ()
    return Line(
        anchor,
        title(row),
        row.regime,
        rung(row),
        css_class if row.passed else "bad",
        tuple(_figures(row)),
        tuple(_style(row)),
        skipped(row) or reason(row),
        pictures,
    )


def _figures(row: Row) -> Iterator[str]:
    yield from (_level(row.found.largest), _level(row.found.mean))
    yield from map(decibels, (row.found, row.floor, row.noise))
    yield from (_level(region.mean) for region in (row.border, row.inside))


def _level(value: float) -> str:
    """Format grey levels to two significant digits without an exponent; "" for NaN."""
    if not math.isfinite(value):
        return "" if math.isnan(value) else "infinite"
    places = 0 if value == 0 else max(0, 1 - math.floor(math.log10(value)))
    return f"{value:.{places}f}"


def _style(row: Row) -> Iterator[str]:
    if row.style:
        yield f"{row.style.content:+.1%}"
        yield f"{row.style.style:.1%}"
        yield f"{row.style.ssim:.3f}"


def _pictures(row: Row, exhibit: Exhibit) -> Iterator[Picture]:
    of = f"picture {exhibit.number} of the batch {row.name}" if exhibit.number else row.name
    jpeg = "image/jpeg"
    yield _picture("input", of, exhibit.input, jpeg, "")
    no_reference = "not compared: it must be finite, no more"
    reference = REFERENCE if row.against == REFERENCE else f"{REFERENCE}: {row.against}"
    yield _picture(reference, of, exhibit.reference, jpeg, no_reference)
    yield _picture("candidate", of, exhibit.output, jpeg, "there is none")
    yield _picture("difference", of, exhibit.heat_map, "image/png", _no_difference(row))


def _picture(label: str, of: str, data: bytes | None, kind: str, otherwise: str) -> Picture:
    if data is None:
        return Picture(label, otherwise)
    encoded = base64.b64encode(data).decode("ascii")
    return Picture(label, f"{label}, {of}", f"data:{kind};base64,{encoded}")


def _no_difference(row: Row) -> str:
    return "nothing to compare" if row.rung == judge.FINITE else "cannot be compared"
