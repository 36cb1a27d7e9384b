"""One benchmark from a request to results: enter, warm, race, and ask what is left to know."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sttk.benchmarks.budget import Cost, Plan
from sttk.benchmarks.entrants import MODEL_CLOCK, Entrant, Setting
from sttk.benchmarks.environment import environment
from sttk.benchmarks.field import Field, Maker, Told
from sttk.benchmarks.lineup import Candidate, candidates, table_order, without_its_arithmetic
from sttk.benchmarks.remote import OutOfTimeError, Remote
from sttk.benchmarks.roofline import limit
from sttk.benchmarks.rows import GATYS, Case, Iterations, LeftOut, Results, Row
from sttk.benchmarks.ways import Way
from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.core.shapes import Size, text
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.host.machine import gpus
from sttk.toolkit.imaging.images import Picture, from_batch, write_image
from sttk.toolkit.imaging.regimes import photographs, shipped_photos
from sttk.toolkit.runtimes.base import Node

# What a net's authors let the optimisation run to, and the tables of 2016.
ITERATIONS = (100, 300, 500)
_STRIDE = 20  # iterations between two looks at the clock; all of ITERATIONS are multiples
_PROFILED_RUNS = 5
# Nominal seconds (``sttk.benchmarks.budget``) of the peaks, and of ending processes.
_PEAKS, _CLOSING = 8.0, 4.0
# What is kept for the closing at most, as a share of the budget.
_MOST_OF_CLOSING = 0.08
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
        seconds: of wall time for everything (``sttk.benchmarks.budget``).
        planned: whether ``seconds`` is kept, and rows that do not fit are left out; else all ways
            are timed, and half of ``seconds`` is for the rounds.
        began: moment of ``time.perf_counter`` from which ``seconds`` count; None for the call.
        ending: seconds of the nominal machine that the caller needs for what follows.
        peaks: whether the machine's peaks are measured, which reports show; a plan's rows have no
            limit without.
        required: cases that are timed though a plan would leave them out.
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
    seconds: float = 120.0
    planned: bool = False
    began: float | None = None
    ending: float = 0.0
    peaks: bool = True
    required: frozenset[Case] = frozenset()
    gatys: bool = True
    full: bool = False
    vgg: Path | None = None
    profile: bool = False
    more: More | None = None


def run(request: Request, told: Told) -> Results:
    """Measure everything; what cannot run is a row that says why."""
    began = time.perf_counter() if request.began is None else request.began
    whole = _plan(request, began)
    early = request.peaks and not request.planned
    peaks, unmeasured = measured_peaks(request.threads) if early else ({}, {})
    with _places(request) as (root, maker):
        fields = [
            _at_size(request, number, whole, root, partial(_within, request, told, number), maker)
            for number in range(len(request.sizes))
        ]
        full = _fully(request, fields, told)
    peaks, unmeasured = _again(request, peaks, unmeasured, whole)
    rows = [pair for each in fields for pair in each.rows]
    origin = request.net.origin
    return Results(
        {"name": origin.name, "sha256": origin.sha256},
        environment(request.threads),
        peaks,
        tuple(_limited(row, entrant, peaks) for entrant, row in rows),
        tuple(full),
        unmeasured=unmeasured,
        left_out=tuple(each for field in fields for each in field.left_out),
        spent={"budget": request.seconds, "taken": time.perf_counter() - began},
    )


def _plan(request: Request, began: float) -> Plan:
    """Return the plan of the whole command."""
    return Plan(
        request.seconds - (time.perf_counter() - began),
        bounded=request.planned,
        ending=_CLOSING + request.ending + (_PEAKS if request.peaks else 0.0),
    )


@contextmanager
def _places(request: Request) -> Iterator[tuple[Path, Maker]]:
    """A folder, and the process that exports into it."""
    with tempfile.TemporaryDirectory(prefix="sttk-") as root:
        maker = Maker(Path(root), request.threads)
        try:
            yield Path(root), maker
        finally:
            maker.close()


def _within(request: Request, told: Told, number: int, share: float, what: str) -> None:
    """Tell of one size as a part of all."""
    sizes = request.sizes
    told((number + share) / len(sizes), f"{text(sizes[number])}: {what}")


def _at_size(
    request: Request, number: int, whole: Plan, root: Path, told: Told, maker: Maker
) -> Field:
    """All rows of one size, in the order of the tables."""
    size = request.sizes[number]
    setting = _setting(request, size, root)
    plan = whole.part(len(request.sizes) - number)
    queue = [*candidates(request, setting), *_more(request, setting)]
    unfit = [(each, said) for each in queue if (said := _unfit(request, each))]
    found = Field(plan, maker, request.threads, told)
    found.left_out = [LeftOut(each.case, said) for each, said in unfit]
    found.run([each for each in queue if not _unfit(request, each)])
    order = table_order(request, size)
    last = order.pop()  # the optimisation
    found.rows.sort(key=lambda pair: _place(order, last, pair[1].case))
    if request.profile:
        found.rows = [_profiled(pair, request.threads) for pair in found.rows]
    return found


def _place(order: Sequence[Case], last: Case, case: Case) -> int:
    """In the tables: the style's own, then other people's, then the optimisation."""
    if case == last:
        return len(order) + 1
    return order.index(case) if case in order else len(order)


def _unfit(request: Request, candidate: Candidate) -> str:
    """Why a plan does without a row from the first, or ""."""
    asked = candidate.required or not request.planned
    return "" if asked else without_its_arithmetic(candidate.case)


def _setting(request: Request, size: Size, root: Path) -> Setting:
    folder = root / text(size)
    folder.mkdir()
    photo = folder / "photo.jpg"
    batch = next(photographs(shipped_photos(), size))
    write_image(photo, Picture(from_batch(batch)))
    return Setting(photo, size, request.threads, folder)


def _more(request: Request, setting: Setting) -> Iterator[Candidate]:
    if request.more:
        photo, size, folder = setting.photo, setting.size, setting.root
        for entrant in request.more(request.net, photo, size, request.threads, folder):
            yield Candidate(entrant.case, Cost(0.0), partial(_itself, entrant), required=True)


def _itself(entrant: Entrant, _: object) -> Entrant:
    return entrant


def measured_peaks(
    threads: int, until: float | None = None
) -> tuple[dict[str, float], dict[str, str]]:
    """Of this machine and its GPU (``sttk.benchmarks.peaks``), and why one of them has none.

    A GPU that the driver knows may be out of torch's reach: its build may be of the CPU alone.

    Args:
        threads: of torch.
        until: moment of ``time.perf_counter`` at which time is out; None for no end.
    """
    found: dict[str, float] = {}
    reasons: dict[str, str] = {}
    for device in ("cpu", *(("cuda",) if gpus() else ())):
        asked = {"threads": threads, "device": device}
        try:
            with Remote("sttk.benchmarks.peaks:Peaks", asked, threads, until) as peaks:
                found |= peaks.call("measure")
        except NotRunError as error:
            reasons[device] = str(error)
    return found, reasons


def _again(
    request: Request, peaks: dict[str, float], unmeasured: dict[str, str], plan: Plan
) -> tuple[dict[str, float], dict[str, str]]:
    """Peaks after the rows: the better ones of two looks; of a budget it is the only one."""
    if not request.peaks:
        return {}, {}
    if not request.planned:
        return _better(peaks, measured_peaks(request.threads)[0]), unmeasured
    pace = max(1.0, plan.pace.of("prepare"))
    closing = min((_CLOSING + request.ending) * pace, _MOST_OF_CLOSING * plan.seconds)
    until = plan.ends - closing
    if until - time.perf_counter() < _PEAKS * pace:
        return {}, {"cpu": str(OutOfTimeError())}
    return measured_peaks(request.threads, until)


def _better(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return {name: max(value, other.get(name, 0.0)) for name, value in one.items()}


def _limited(row: Row, entrant: Entrant, peaks: dict[str, float]) -> Row:
    if not entrant.layers:
        return row
    seconds = limit(entrant.layers, entrant.arithmetic, peaks, row.case.batch)
    return replace(row, limit=seconds)


def _profiled(pair: tuple[Entrant, Row], threads: int) -> tuple[Entrant, Row]:
    entrant, row = pair
    return entrant, replace(row, nodes=_nodes(entrant, threads)) if row.timing else row


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


def _fully(request: Request, fields: Sequence[Field], told: Told) -> list[Iterations]:
    """The optimisations that ran, to their ends, if that is asked for."""
    if not request.full:
        return []
    pairs = [pair for each in fields for pair in each.rows]
    ran = [one for one, row in pairs if row.case.runtime == GATYS and row.timing]
    return [_in_full(entrant, request.threads, told) for entrant in ran]


def _in_full(entrant: Entrant, threads: int, told: Told) -> Iterations:
    """The optimisation from its start to the last of ``ITERATIONS``."""
    last = ITERATIONS[-1]
    seconds: dict[int, float] = {}
    with Remote(entrant.clock, entrant.options, threads) as clock:
        for iteration in range(_STRIDE, last + 1, _STRIDE):
            spent = clock.call("reach", iteration)
            told(iteration / last, f"Gatys in full, iteration {iteration}")
            if iteration in ITERATIONS:
                seconds[iteration] = spent
    return Iterations(entrant.case.size, seconds)
