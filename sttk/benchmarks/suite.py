"""One benchmark from its configuration to results: start, warm up, take turns, report."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from sttk.benchmarks.budget import Cost, Plan
from sttk.benchmarks.clocks import IterationClock, ModelClock
from sttk.benchmarks.config import BenchConfig
from sttk.benchmarks.entrants import Entrant, Setting
from sttk.benchmarks.environment import environment
from sttk.benchmarks.field import ExportProcess, Field, Told
from sttk.benchmarks.lineup import Candidate, candidates, table_order, without_its_arithmetic
from sttk.benchmarks.peaks import Peaks
from sttk.benchmarks.remote import OutOfTimeError, Remote
from sttk.benchmarks.roofline import limit
from sttk.benchmarks.rows import GATYS, ITERATIONS, Case, Iterations, LeftOut, Results, Row
from sttk.benchmarks.specs import IterationSpec, ModelClockSpec, PeaksSpec
from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.core.shapes import Size, text
from sttk.toolkit.host.machine import gpus
from sttk.toolkit.imaging.images import Picture, from_batch, write_image
from sttk.toolkit.imaging.regimes import photographs, shipped_photos
from sttk.toolkit.runtimes.base import Node

_STRIDE = 20  # iterations between two looks at the clock; all of ITERATIONS are multiples
_PROFILED_RUNS = 5
# Nominal seconds (``sttk.benchmarks.budget``) of the peaks, and of ending processes.
_PEAKS, _CLOSING = 8.0, 4.0
# What is kept for the closing at most, as a share of the budget.
_MOST_OF_CLOSING = 0.08


def run(config: BenchConfig, told: Told) -> Results:
    """Measure everything; what cannot run is a row that says why."""
    began = time.perf_counter() if config.began is None else config.began
    whole = _plan(config, began)
    early = config.peaks and not config.planned
    peaks, unmeasured = measured_peaks(config.threads) if early else ({}, {})
    with _places(config) as (root, exports):
        fields = [
            _at_size(config, number, whole, root, partial(_within, config, told, number), exports)
            for number in range(len(config.sizes))
        ]
        full = _fully(config, fields, told)
    peaks, unmeasured = _again(config, peaks, unmeasured, whole)
    rows = [pair for each in fields for pair in each.rows]
    origin = config.net.origin
    return Results(
        {"name": origin.name, "sha256": origin.sha256},
        environment(config.threads),
        peaks,
        tuple(_limited(row, entrant, peaks) for entrant, row in rows),
        tuple(full),
        unmeasured=unmeasured,
        left_out=tuple(each for field in fields for each in field.left_out),
        spent={"budget": config.seconds, "taken": time.perf_counter() - began},
    )


def _plan(config: BenchConfig, began: float) -> Plan:
    """Return the plan of the whole command."""
    return Plan(
        config.seconds - (time.perf_counter() - began),
        bounded=config.planned,
        ending=_CLOSING + config.ending + (_PEAKS if config.peaks else 0.0),
    )


@contextmanager
def _places(config: BenchConfig) -> Iterator[tuple[Path, ExportProcess]]:
    """A folder, and the process that exports into it."""
    with tempfile.TemporaryDirectory(prefix="sttk-") as root:
        exports = ExportProcess(Path(root), config.threads)
        try:
            yield Path(root), exports
        finally:
            exports.close()


def _within(config: BenchConfig, told: Told, number: int, share: float, what: str) -> None:
    """Tell of one size as a part of all."""
    sizes = config.sizes
    told((number + share) / len(sizes), f"{text(sizes[number])}: {what}")


def _at_size(
    config: BenchConfig, number: int, whole: Plan, root: Path, told: Told, exports: ExportProcess
) -> Field:
    """All rows of one size, in the order of the tables."""
    size = config.sizes[number]
    setting = _setting(config, size, root)
    plan = whole.part(len(config.sizes) - number)
    queue = [*candidates(config, setting), *_more(config, setting)]
    unfit = [(each, said) for each in queue if (said := _unfit(config, each))]
    found = Field(plan, exports, config.threads, told)
    found.left_out = [LeftOut(each.case, said) for each, said in unfit]
    found.run([each for each in queue if not _unfit(config, each)])
    order = table_order(config, size)
    last = order.pop()  # the optimisation
    found.rows.sort(key=lambda pair: _place(order, last, pair[1].case))
    if config.profile:
        found.rows = [_profiled(pair, config.threads) for pair in found.rows]
    return found


def _place(order: Sequence[Case], last: Case, case: Case) -> int:
    """In the tables: the style's own, then other people's, then the optimisation."""
    if case == last:
        return len(order) + 1
    return order.index(case) if case in order else len(order)


def _unfit(config: BenchConfig, candidate: Candidate) -> str:
    """Why a plan does without a row from the first, or ""."""
    asked = candidate.required or not config.planned
    return "" if asked else without_its_arithmetic(candidate.case)


def _setting(config: BenchConfig, size: Size, root: Path) -> Setting:
    folder = root / text(size)
    folder.mkdir()
    photo = folder / "photo.jpg"
    batch = next(photographs(shipped_photos(), size))
    write_image(photo, Picture(from_batch(batch)))
    return Setting(photo, size, config.threads, folder)


def _more(config: BenchConfig, setting: Setting) -> Iterator[Candidate]:
    if config.more:
        photo, size, folder = setting.photo, setting.size, setting.root
        for entrant in config.more(config.net, photo, size, config.threads, folder):
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
        try:
            with Remote(PeaksSpec(threads, device), threads, until) as peaks:
                found |= peaks.call(Peaks.measure)
        except NotRunError as error:
            reasons[device] = str(error)
    return found, reasons


def _again(
    config: BenchConfig, peaks: dict[str, float], unmeasured: dict[str, str], plan: Plan
) -> tuple[dict[str, float], dict[str, str]]:
    """Peaks after the rows: the better ones of two looks; of a budget it is the only one."""
    if not config.peaks:
        return {}, {}
    if not config.planned:
        return _better(peaks, measured_peaks(config.threads)[0]), unmeasured
    pace = max(1.0, plan.pace.of("prepare"))
    closing = min((_CLOSING + config.ending) * pace, _MOST_OF_CLOSING * plan.seconds)
    until = plan.ends - closing
    if until - time.perf_counter() < _PEAKS * pace:
        return {}, {"cpu": str(OutOfTimeError())}
    return measured_peaks(config.threads, until)


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
    if not isinstance(entrant.clock, ModelClockSpec):
        return ()
    try:
        with Remote(replace(entrant.clock, profile=True), threads) as clock:
            return tuple(clock.call(ModelClock.profile, _PROFILED_RUNS))
    except NotRunError:  # it does not tell
        return ()


def _fully(config: BenchConfig, fields: Sequence[Field], told: Told) -> list[Iterations]:
    """The optimisations that ran, to their ends, if that is asked for."""
    if not config.full:
        return []
    pairs = [pair for each in fields for pair in each.rows]
    ran = [one for one, row in pairs if row.case.runtime == GATYS and row.timing]
    return [
        _in_full(one.clock, one.case.size, config.threads, told)
        for one in ran
        if isinstance(one.clock, IterationSpec)
    ]


def _in_full(spec: IterationSpec, size: Size, threads: int, told: Told) -> Iterations:
    """The optimisation from its start to the last of ``ITERATIONS``."""
    last = ITERATIONS[-1]
    seconds: dict[int, float] = {}
    with Remote(spec, threads) as clock:
        for iteration in range(_STRIDE, last + 1, _STRIDE):
            spent = clock.call(IterationClock.reach, iteration)
            told(iteration / last, f"Gatys in full, iteration {iteration}")
            if iteration in ITERATIONS:
                seconds[iteration] = spent
    return Iterations(size, seconds)
