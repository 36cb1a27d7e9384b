"""The text of reports: the same figures on the terminal, in Markdown and on the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sttk.benchmarks.environment import place
from sttk.benchmarks.noise import Noise, noise_of
from sttk.benchmarks.paper import SOURCE, TABLE
from sttk.benchmarks.rows import ITERATIONS, Results, Row, Timing
from sttk.benchmarks.statistics import summary
from sttk.toolkit.core.shapes import Size, text

COLUMNS = ("runtime", "ms", "p95", "FPS", "from file", "x Gatys", "of limit")
EXPLAINED = (
    "ms: median of one run, model alone; from file: JPEG to 8-bit pixels, ms; x Gatys: times "
    f"faster than {ITERATIONS[-1]} iterations; of limit: of what the machine's measured peaks allow"
)
COSTS = ("runtime", "runs", "95 % of median", "load", "first run", "memory, MB")
COSTS_EXPLAINED = (
    "ms; 95 % of median: its confidence interval; load: until the model can run; first run: with "
    "what a compiler does then; memory: the most that the process took"
)
_FEW = 100
_SLOWEST = 5


@dataclass(frozen=True)
class Line:
    """A row of a table: its label, and its figures or, in their place, the reason."""

    label: str
    figures: tuple[str, ...] = ()
    reason: str = ""


def title(results: Results, size: Size) -> str:
    """Return the title of the table of one size."""
    return f"{results.style['name']} at {text(size)}"


def where(results: Results) -> str:
    """Return the machine, in one line."""
    return place(results.environment)


def lines(results: Results, size: Size) -> list[Line]:
    """Return the table of one size."""
    gatys = results.gatys(size)
    return [_line(row, gatys, results) for row in results.at(size)]


def costs(results: Results, size: Size) -> list[Line]:
    """Return a second table of one size: how sure figures are, and what comes before a run."""
    return [_cost(row, row.timing, results) for row in results.at(size) if row.timing]


def calm(results: Results) -> str:
    """Say in one line whether the machine was quiet."""
    return noise_of(results.rows).told


def remarks(results: Results, size: Size) -> Iterator[str]:
    """Yield the lines below the table: the optimisation, the paper, noise, and notes."""
    yield from gatys_lines(results, size)
    if size in TABLE:
        yield f"paper: {_published(size)} ({SOURCE})"
    doubts: dict[str, list[str]] = {}
    rows = [row for row in results.rows if row.case.size == size]
    noise = noise_of(rows)
    for row in rows:
        for said in _said(row.timing, noise) if row.timing else ():
            doubts.setdefault(said, []).append(label(row, results))
    yield from (f"{', '.join(names)}: {said}" for said, names in doubts.items())
    for each in results.left_out:
        if each.case.size == size:
            yield f"left out ({each.reason}): {each.case.model}, {each.case.variant}"


def label(row: Row, results: Results) -> str:
    """Return a row's name: the style's variant, or another model's name with its variant."""
    case = row.case
    batch = f" x {case.batch}" if case.batch > 1 else ""
    if _own(row, results):
        return case.variant + batch
    return f"{case.model}, {case.variant}{batch}"


def speed_up(row: Row, gatys: Row, iterations: int) -> float:
    """Return how many times faster a row makes a picture than so many iterations do."""
    return iterations * gatys.seconds / row.seconds * row.case.batch


def peaks(results: Results) -> str:
    """Return the machine's peaks in one line, and why a device has none."""
    said = [
        f"{name} {value / 1e9:.0f} {'GB/s' if name.endswith('copy') else 'GMAC/s'}"
        for name, value in results.peaks.items()
    ]
    missing = (f"{device} not run: {reason}" for device, reason in results.unmeasured.items())
    return ", ".join((*said, *missing))


def milliseconds(seconds: float) -> str:
    """Return milliseconds in three figures: ``8.31``, ``46.2``, ``467``."""
    value = 1e3 * seconds
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < _FEW else f"{value:,.0f}"


def frames(row: Row) -> str:
    """Return a row's pictures a second, in three figures where it is slow."""
    return f"{row.fps:.2f}" if row.fps < 10 else f"{row.fps:.1f}"


def _line(row: Row, gatys: Row | None, results: Results) -> Line:
    name = label(row, results)
    if row.timing is None:
        return Line(name, reason=row.not_run)
    found, whole = row.timing.summary, row.timing.whole
    figures = (
        milliseconds(found.p50),
        milliseconds(found.p95),
        frames(row),
        milliseconds(summary(whole).p50) if whole else "",
        f"{speed_up(row, gatys, ITERATIONS[-1]):,.0f}" if gatys else "",
        f"{row.share:.0%}" if row.share else "",
    )
    return Line(name, figures)


def _cost(row: Row, timing: Timing, results: Results) -> Line:
    found = timing.summary
    figures = (
        str(found.count),
        f"{milliseconds(found.low)} - {milliseconds(found.high)}",
        milliseconds(timing.load),
        milliseconds(timing.first),
        f"{timing.memory / 1e6:,.0f}" if timing.memory else "",
    )
    return Line(label(row, results), figures)


def gatys_lines(results: Results, size: Size) -> Iterator[str]:
    """Yield the optimisation's time an iteration, and what is extrapolated from it."""
    gatys = results.gatys(size)
    if gatys is None or gatys.timing is None:
        return
    each = gatys.seconds
    network = gatys.case.model
    yield (
        f"Gatys ({network}, L-BFGS): {each:.2f} s an iteration, median of "
        f"{gatys.timing.summary.count}; extrapolated to "
        f"{', '.join(f'{count}: {count * each:,.0f} s' for count in ITERATIONS)}"
    )
    for full in results.full:
        if full.size == size:
            measured = (f"{count}: {seconds:,.0f} s" for count, seconds in full.seconds.items())
            yield f"Gatys, run in full: {', '.join(measured)}"


def _published(size: Size) -> str:
    row = TABLE[size]
    pairs = ", ".join(
        f"{count}: {row.gatys[count]:.2f} s, {row.times[count]} x" for count in row.times
    )
    return f"net {row.net:g} s; Gatys {pairs}"


def _said(timing: Timing, noise: Noise) -> Iterator[str]:
    yield from filter(None, (noise.doubt(timing),))
    if not timing.steady:
        yield "was not steady when its warm-up ended"
    yield from timing.notes


def equal_loss(results: Results) -> Iterator[str]:
    """Yield what ``--equal-loss`` found: a line for each photograph and start."""
    for each in results.equal:
        size: Size = (each["size"][0], each["size"][1])
        name = f"{each['photo']} at {text(size)}, from {each['start']}"
        if each["iterations"] is None:
            yield f"{name}: {len(each['curve'])} iterations do not reach the net's loss"
            continue
        # The loss is of the net in float32: what another precision costs of it is not known here.
        exact = [r for r in results.at(size) if r.timing and r.case.precision == "fp32"]
        best = max((r for r in exact if _own(r, results)), key=lambda r: r.fps, default=None)
        times = f", {each['seconds'] * best.fps:,.0f} x {label(best, results)}" if best else ""
        yield f"{name}: {each['iterations']} iterations, {each['seconds']:.1f} s{times}"


def _own(row: Row, results: Results) -> bool:
    return row.case.model == results.style["name"]


def nodes(results: Results) -> Iterator[str]:
    """Yield the slowest nodes of each profiled row."""
    for row in results.rows:
        whole = sum(node.seconds for node in row.nodes)
        for node in row.nodes[:_SLOWEST]:
            kind = "" if node.kind in node.name else f" ({node.kind})"
            yield (
                f"{label(row, results)}, {text(row.case.size)}: {node.name}{kind} "
                f"{milliseconds(node.seconds)} ms, {node.seconds / whole:.0%}"
            )
