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
from sttk.benchmarks.cases import PreparedCase, SizeContext
from sttk.benchmarks.clocks import IterationClock, ModelClock
from sttk.benchmarks.config import BenchConfig, OnProgress
from sttk.benchmarks.environment import environment
from sttk.benchmarks.peaks import Peaks
from sttk.benchmarks.remote import OutOfTimeError, Remote
from sttk.benchmarks.roofline import limit
from sttk.benchmarks.rows import GATYS, ITERATIONS, Case, Iterations, LeftOut, Results, Row
from sttk.benchmarks.schedule import Candidate, candidates, table_order, without_its_arithmetic
from sttk.benchmarks.size_run import ExportProcess, SizeRun
from sttk.benchmarks.specs import IterationSpec, ModelClockSpec, PeaksSpec
from sttk.benchmarks.stopwatch import write_photo
from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.core.shapes import Size, text
from sttk.toolkit.host.machine import gpus
from sttk.toolkit.runtimes.base import Node

_STRIDE = 20  # iterations between two looks at the clock; all of ITERATIONS are multiples
_PROFILED_RUNS = 5
# Nominal seconds (``sttk.benchmarks.budget``) of the peaks, and of ending processes.
_PEAKS, _CLOSING = 8.0, 4.0
# What is kept for the closing at most, as a share of the budget.
_MOST_OF_CLOSING = 0.08


def run(config: BenchConfig, on_progress: OnProgress) -> Results:
    """Measure everything; what cannot run is a row that says why."""
    began = time.perf_counter() if config.began is None else config.began
    whole = _plan(config, began)
    early = config.peaks and not config.planned
    peaks, unmeasured = measured_peaks(config.threads) if early else ({}, {})
    with _places(config) as (root, exports):
        size_runs = [
            _at_size(
                config, number, whole, root, partial(_within, config, on_progress, number), exports
            )
            for number in range(len(config.sizes))
        ]
        full = _fully(config, size_runs, on_progress)
    peaks, unmeasured = _again(config, peaks, unmeasured, whole)
    rows = [pair for each in size_runs for pair in each.rows]
    origin = config.net.origin
    return Results(
        {"name": origin.name, "sha256": origin.sha256},
        environment(config.threads),
        peaks,
        tuple(_limited(row, prepared, peaks) for prepared, row in rows),
        tuple(full),
        unmeasured=unmeasured,
        left_out=tuple(each for one in size_runs for each in one.left_out),
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
    """Yield a temporary folder, and the process that exports into it."""
    with tempfile.TemporaryDirectory(prefix="sttk-") as root:
        exports = ExportProcess(Path(root), config.threads)
        try:
            yield Path(root), exports
        finally:
            exports.close()


def _within(
    config: BenchConfig, on_progress: OnProgress, number: int, share: float, what: str
) -> None:
    """Report the progress of one size as a part of all."""
    sizes = config.sizes
    on_progress((number + share) / len(sizes), f"{text(sizes[number])}: {what}")


def _at_size(
    config: BenchConfig,
    number: int,
    whole: Plan,
    root: Path,
    on_progress: OnProgress,
    exports: ExportProcess,
) -> SizeRun:
    """Time all rows of one size; they come in the order of the tables."""
    size = config.sizes[number]
    context = _size_context(config, size, root)
    plan = whole.part(len(config.sizes) - number)
    queue = [*candidates(config, context), *_peers(config, context)]
    unfit = [(each, said) for each in queue if (said := _unfit(config, each))]
    found = SizeRun(plan, exports, config.threads, on_progress)
    found.left_out = [LeftOut(each.case, said) for each, said in unfit]
    found.run([each for each in queue if not _unfit(config, each)])
    order = table_order(config, size)
    last = order.pop()  # the optimisation
    found.rows.sort(key=lambda pair: _place(order, last, pair[1].case))
    if config.profile:
        found.rows = [_profiled(pair, config.threads) for pair in found.rows]
    return found


def _place(order: Sequence[Case], last: Case, case: Case) -> int:
    """Return a row's place in the tables: the style, then peers, then the optimisation."""
    if case == last:
        return len(order) + 1
    return order.index(case) if case in order else len(order)


def _unfit(config: BenchConfig, candidate: Candidate) -> str:
    """Return why the budget does without a row from the first, or ""."""
    asked = candidate.required or not config.planned
    return "" if asked else without_its_arithmetic(candidate.case)


def _size_context(config: BenchConfig, size: Size, root: Path) -> SizeContext:
    folder = root / text(size)
    folder.mkdir()
    return SizeContext(write_photo(folder, size), size, config.threads, folder)


def _peers(config: BenchConfig, context: SizeContext) -> Iterator[Candidate]:
    if config.peers:
        photo, size, folder = context.photo, context.size, context.root
        for prepared in config.peers(config.net, photo, size, config.threads, folder):
            yield Candidate(prepared.case, Cost(0.0), partial(_itself, prepared), required=True)


def _itself(prepared: PreparedCase, _: object) -> PreparedCase:
    return prepared


def measured_peaks(
    threads: int, until: float | None = None
) -> tuple[dict[str, float], dict[str, str]]:
    """Measure this machine's and its GPU's peaks; return why one of them has none, too.

    The driver may know a GPU that torch cannot use: its build may be for the CPU alone.

    Args:
        threads: torch's CPU threads.
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
    """Measure the peaks after the rows; keep the better of two measurements if there were two."""
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


def _limited(row: Row, prepared: PreparedCase, peaks: dict[str, float]) -> Row:
    if not prepared.layers:
        return row
    seconds = limit(prepared.layers, prepared.arithmetic, peaks, row.case.batch)
    return replace(row, limit=seconds)


def _profiled(pair: tuple[PreparedCase, Row], threads: int) -> tuple[PreparedCase, Row]:
    prepared, row = pair
    return prepared, replace(row, nodes=_nodes(prepared, threads)) if row.timing else row


def _nodes(prepared: PreparedCase, threads: int) -> tuple[Node, ...]:
    """Profile in another process: taking the time of every node costs time."""
    if not isinstance(prepared.clock, ModelClockSpec):
        return ()
    try:
        with Remote(replace(prepared.clock, profile=True), threads) as clock:
            return tuple(clock.call(ModelClock.profile, _PROFILED_RUNS))
    except NotRunError:  # its runtime cannot
        return ()


def _fully(
    config: BenchConfig, size_runs: Sequence[SizeRun], on_progress: OnProgress
) -> list[Iterations]:
    """Run the optimisations that could be timed to the end, if that is asked for."""
    if not config.full:
        return []
    pairs = [pair for each in size_runs for pair in each.rows]
    ran = [one for one, row in pairs if row.case.runtime == GATYS and row.timing]
    return [
        _in_full(one.clock, one.case.size, config.threads, on_progress)
        for one in ran
        if isinstance(one.clock, IterationSpec)
    ]


def _in_full(spec: IterationSpec, size: Size, threads: int, on_progress: OnProgress) -> Iterations:
    """Run the optimisation from its start to the last of ``ITERATIONS``."""
    last = ITERATIONS[-1]
    seconds: dict[int, float] = {}
    with Remote(spec, threads) as clock:
        for iteration in range(_STRIDE, last + 1, _STRIDE):
            spent = clock.call(IterationClock.reach, iteration)
            on_progress(iteration / last, f"Gatys in full, iteration {iteration}")
            if iteration in ITERATIONS:
                seconds[iteration] = spent
    return Iterations(size, seconds)
