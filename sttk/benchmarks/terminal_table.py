"""The terminal's table: what a user asks first, in 80 columns, and the lines below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from sttk.benchmarks.budget import ROUNDS
from sttk.benchmarks.noise import noise_of
from sttk.benchmarks.report_text import frames, gatys_lines, milliseconds, speed_up
from sttk.benchmarks.rows import ITERATIONS, Case, LeftOut, Results, Row
from sttk.toolkit.core.shapes import Size

COLUMNS = ("", "precision", "ms", "±", "FPS", "x torch", "x Gatys")
EXPLAINED = (
    "ms: median of one picture, model alone; ±: half of its 95 % confidence interval; x: times "
    f"faster than the style in plain torch fp32, and than {ITERATIONS[-1]} iterations of Gatys. "
    "-o DIR or --json: percentiles, memory, load, limits and all samples."
)
_NAME = 30  # characters
_REFERENCE = ("torch", "fp32")


def table(results: Results, size: Size) -> list[tuple[str, ...]]:
    """Return the rows that ran; a row of one cell is a model's name, before its rows."""
    ran = [row for row in results.at(size) if row.timing]
    found: list[tuple[str, ...]] = []
    for model, rows in groupby(ran, lambda row: row.case.model):
        found.append((_short(model),))
        found += [_line(row, results) for row in rows]
    return found


def drawn(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the table's lines, unwrapped: every column is as wide as its widest cell."""
    whole = [COLUMNS, *(row for row in rows if len(row) == len(COLUMNS))]
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    found = [_aligned(row, widths) for row in (COLUMNS, *rows)]
    return [found[0], "─" * len(found[0]), *found[1:]]


def _aligned(row: tuple[str, ...], widths: Sequence[int]) -> str:
    """Align words to the left, and figures to the right."""
    cells = [
        cell.ljust(width) if number < 2 else cell.rjust(width)
        for number, (cell, width) in enumerate(zip(row, widths, strict=False))
    ]
    return "  ".join(cells).rstrip()


def _line(row: Row, results: Results) -> tuple[str, ...]:
    case, timing = row.case, row.timing
    if timing is None:
        raise ValueError("only what ran has figures")
    batch = f" x {case.batch}" if case.batch > 1 else ""
    size, few = case.size, len(timing.turns) < ROUNDS
    torch, gatys = _reference(results, size), results.gatys(size)
    return (
        f"  {case.runtime}{batch}",
        case.precision,
        milliseconds(row.seconds),
        # So few turns give no interval worth the name.
        "?" if few else f"{timing.summary.spread:.0%}",
        frames(row),
        times(row.fps / torch.fps) if torch else "",
        times(speed_up(row, gatys, ITERATIONS[-1])) if gatys else "",
    )


def _reference(results: Results, size: Size) -> Row | None:
    """Return the row of the style in plain torch."""
    name = results.style["name"]
    found = [row for row in results.at(size) if row.timing and row.case.model == name]
    plain = [r for r in found if (r.case.runtime, r.case.precision) == _REFERENCE]
    return next((row for row in plain if row.case.batch == 1), None)


def times(ratio: float) -> str:
    """Return a ratio in three figures: ``0.84``, ``12.3``, ``1,026``."""
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}" if ratio < 100 else f"{ratio:,.0f}"


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def below(results: Results, size: Size) -> Iterator[str]:
    """Yield the paragraphs below the table: the optimisation, doubts, and what is left out."""
    if not table(results, size):
        yield "no model was timed"
    yield from gatys_lines(results, size)
    yield from _noise(results, size)
    rows = [row for row in results.rows if row.case.size == size]
    reasons = [(row.case, row.not_run) for row in rows if not row.timing]
    for reason, cases in _by_reason(reasons):
        yield f"not run: {reason}: {_listed(cases)}"
    yield from _left_out([each for each in results.left_out if each.case.size == size], results)


def _noise(results: Results, size: Size) -> Iterator[str]:
    """Yield the machine's own spread, and the rows that are worse than it."""
    ran = [row for row in results.rows if row.case.size == size and row.timing]
    noise = noise_of(ran)
    fewest = min((len(row.timing.turns) for row in ran if row.timing), default=0)
    if ran and fewest:
        yield f"{noise.told}; {fewest} round{'s' if fewest > 1 else ''} at least"
    for row in ran:
        if row.timing and (said := noise.doubt(row.timing)):
            yield f"{row.case.model}, {row.case.variant}: {said}"


def _left_out(found: Sequence[LeftOut], results: Results) -> Iterator[str]:
    if not found:
        return
    for reason, cases in _by_reason([(each.case, each.reason) for each in found]):
        yield f"left out ({reason}): {_listed(cases)}"
    budget = results.spent.get("budget", 0.0)
    yield (
        f"to time these, too: --all, or some of them by --runtime and --precision, or more time "
        f"than {budget:g} s by --seconds"
    )


def _by_reason(pairs: Sequence[tuple[Case, str]]) -> list[tuple[str, list[Case]]]:
    reasons = dict.fromkeys(reason for _, reason in pairs)
    return [(why, [case for case, reason in pairs if reason == why]) for why in reasons]


def _listed(cases: Sequence[Case]) -> str:
    """Return a list such as ``ink: ncnn fp32 int8, litert fp32; ink-mobile-m: ncnn fp32``."""
    parts = []
    for model in dict.fromkeys(case.model for case in cases):
        variants: dict[str, list[str]] = {}
        for case in cases:
            if case.model == model:
                variants.setdefault(case.runtime, []).append(case.precision)
        names = ", ".join(
            f"{variant} {' '.join(dict.fromkeys(p))}" for variant, p in variants.items()
        )
        parts.append(f"{_short(model)}: {names}")
    return "; ".join(parts)
