"""One benchmark from a request to results: enter, warm, race, and ask what is left to know."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.entrants import MODEL_CLOCK, Entrant, of_gatys, of_small, of_style
from benchmarks.environment import environment
from benchmarks.remote import Remote
from benchmarks.roofline import limit
from benchmarks.rounds import Racer, race
from benchmarks.rows import Iterations, Results, Row, Timing
from benchmarks.ways import Way
from toolkit.errors import NotRunError
from toolkit.images import Picture, from_batch, write_image
from toolkit.machine import gpus
from toolkit.memory import available
from toolkit.regimes import photographs, shipped_photos
from toolkit.runtimes.base import Node
from toolkit.shapes import Size, text
from toolkit.style_net import StyleNet

# What a net's authors let the optimisation run to, and the tables of 2016.
ITERATIONS = (100, 300, 500)
_STRIDE = 20  # iterations between two looks at the clock; all of ITERATIONS are multiples
_PROFILED_RUNS = 5
_OF_MEMORY = 0.8
Told = Callable[[float, str], None]
# More models to time beside the style's own, at one size.
More = Callable[[StyleNet, Path, Size, int, Path], Iterator[Entrant]]


@dataclass(frozen=True)
class Request:
    """What to measure.

    Attributes:
        net: the style.
        ways: to run it in.
        sizes: (height, width), each.
        batches: pictures at once, each.
        threads: of the CPU, for each runtime.
        seconds: to spend on the rounds of one size.
        gatys: whether the optimisation is timed, too.
        full: whether it is run to the end.
        vgg: weights of its loss network; None for those at hand.
        profile: whether each row tells its slowest nodes.
        more: other models, if any.
    """

    net: StyleNet
    ways: Sequence[Way]
    sizes: Sequence[Size] = ((512, 512),)
    batches: Sequence[int] = (1,)
    threads: int = 1
    seconds: float = 30.0
    gatys: bool = True
    full: bool = False
    vgg: Path | None = None
    profile: bool = False
    more: More | None = None


def run(request: Request, told: Told) -> Results:
    """Measure everything; what cannot run is a row that says why."""
    peaks, unmeasured = measured_peaks(request.threads)
    rows: list[tuple[Entrant, Row]] = []
    full: list[Iterations] = []
    with tempfile.TemporaryDirectory(prefix="sttk-") as root:
        for number, size in enumerate(request.sizes):

            def within(share: float, what: str, number: int = number, size: Size = size) -> None:
                told((number + share) / len(request.sizes), f"{text(size)}: {what}")

            entrants = _entered(request, size, Path(root), within)
            groups = list(_groups(entrants))
            for group in groups:
                raced = _raced(request, group, within)
                rows += zip(group, _noted(raced, len(groups)), strict=True)
            if request.gatys and request.full and rows[-1][1].timing:
                full.append(_in_full(entrants[-1], request.threads, within))
    peaks = _better(peaks, measured_peaks(request.threads)[0])
    origin = request.net.origin
    return Results(
        {"name": origin.name, "sha256": origin.sha256},
        environment(request.threads),
        peaks,
        tuple(_limited(row, entrant, peaks) for entrant, row in rows),
        tuple(full),
        unmeasured=unmeasured,
    )


def measured_peaks(threads: int) -> tuple[dict[str, float], dict[str, str]]:
    """Of this machine and its GPU (``benchmarks.peaks``), and why one of them has none.

    A GPU that the driver knows may be out of torch's reach: its build may be of the CPU alone.
    """
    found: dict[str, float] = {}
    reasons: dict[str, str] = {}
    for device in ("cpu", *(("cuda",) if gpus() else ())):
        asked = {"threads": threads, "device": device}
        try:
            with Remote("benchmarks.peaks:Peaks", asked, threads) as peaks:
                found |= peaks.call("measure")
        except NotRunError as error:
            reasons[device] = str(error)
    return found, reasons


def _better(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return {name: max(value, other.get(name, 0.0)) for name, value in one.items()}


def _entered(request: Request, size: Size, root: Path, told: Told) -> list[Entrant]:
    """Who takes part at one size; the optimisation is the last."""
    told(0.0, "exporting")
    folder = root / text(size)
    folder.mkdir()
    photo = folder / "photo.jpg"
    batch = next(photographs(shipped_photos(), size))
    write_image(photo, Picture(from_batch(batch)))
    entrants = [
        entrant
        for count in request.batches
        for enter in (of_style, of_small)
        for entrant in enter(request.net, request.ways, photo, size, count, request.threads, folder)
    ]
    if request.more:
        entrants += request.more(request.net, photo, size, request.threads, folder)
    if request.gatys:
        entrants.append(of_gatys(photo, size, request.vgg, request.threads))
    return entrants


def _groups(entrants: Sequence[Entrant]) -> Iterator[list[Entrant]]:
    """As many at once as memory holds; most often all of them."""
    free = available()
    room = _OF_MEMORY * free if free else float("inf")
    group: list[Entrant] = []
    for entrant in entrants:
        if group and sum(each.bytes for each in (*group, entrant)) > room:
            yield group
            group = []
        group.append(entrant)
    yield group


def _noted(rows: Sequence[Row], groups: int) -> list[Row]:
    """Rows that did not all take turns with each other say so."""
    if groups == 1:
        return list(rows)
    said = "not all rows took turns with each other: memory does not hold them at once"
    return [
        replace(row, timing=replace(row.timing, notes=(*row.timing.notes, said)))
        if row.timing
        else row
        for row in rows
    ]


def _raced(request: Request, group: Sequence[Entrant], told: Told) -> list[Row]:
    """A row for each of the group."""
    racers: dict[int, Racer] = {}
    reasons: dict[int, str] = {}
    try:
        for index, entrant in enumerate(group):
            told(0.4 * index / len(group), f"starting {entrant.case.way}")
            try:
                racers[index] = _started(entrant, request.threads)
            except NotRunError as error:
                reasons[index] = str(error)
        race([*racers.values()], request.seconds, lambda done: told(0.4 + 0.5 * done, "rounds"))
        for racer in racers.values():
            if racer.running:
                racer.attempt(Racer.weigh)
        rows = [
            _row(entrant, racers.get(index), reasons.get(index, ""))
            for index, entrant in enumerate(group)
        ]
    finally:
        for racer in racers.values():
            racer.remote.close()
    if not request.profile:
        return rows
    return [
        replace(row, nodes=_nodes(entrant, request.threads)) if row.timing else row
        for entrant, row in zip(group, rows, strict=True)
    ]


def _started(entrant: Entrant, threads: int) -> Racer:
    """In its process, and warm. Raises NotRunError with the reason why not."""
    if entrant.reason:
        raise NotRunError(entrant.reason)
    remote = Remote(entrant.clock, entrant.options, threads)
    racer = Racer(remote, whole=entrant.clock == MODEL_CLOCK)
    try:
        racer.warm()
    except BaseException:
        remote.close()
        raise
    return racer


def _row(entrant: Entrant, racer: Racer | None, reason: str) -> Row:
    if racer is None or racer.lost:
        lost = racer.lost if racer else reason
        return Row(entrant.case, not_run=lost, arithmetic=entrant.arithmetic)
    warmed = racer.warmed
    timing = Timing(
        tuple(map(tuple, racer.turns)),
        tuple(map(tuple, racer.wholes)),
        warmed["load"],
        warmed["first"],
        racer.memory,
        warmed["steady"],
        tuple(warmed["notes"]),
    )
    return Row(entrant.case, timing, arithmetic=entrant.arithmetic)


def _limited(row: Row, entrant: Entrant, peaks: dict[str, float]) -> Row:
    if not entrant.layers:
        return row
    seconds = limit(entrant.layers, entrant.arithmetic, peaks, row.case.batch)
    return replace(row, limit=seconds)


def _nodes(entrant: Entrant, threads: int) -> tuple[Node, ...]:
    """In another process: taking the time of every node costs time."""
    if entrant.clock != MODEL_CLOCK:
        return ()
    options = {**entrant.options["options"], "profile": True}
    try:
        with Remote(entrant.clock, {**entrant.options, "options": options}, threads) as clock:
            return tuple(clock.call("profile", _PROFILED_RUNS))
    except NotRunError:  # it does not tell
        return ()


def _in_full(entrant: Entrant, threads: int, told: Told) -> Iterations:
    """The optimisation from its start to the last of ``ITERATIONS``."""
    last = ITERATIONS[-1]
    seconds: dict[int, float] = {}
    with Remote(entrant.clock, entrant.options, threads) as clock:
        for iteration in range(_STRIDE, last + 1, _STRIDE):
            spent = clock.call("reach", iteration)
            told(0.9 + 0.1 * iteration / last, f"Gatys in full, iteration {iteration}")
            if iteration in ITERATIONS:
                seconds[iteration] = spent
    return Iterations(entrant.case.size, seconds)
