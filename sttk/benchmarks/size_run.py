"""The rows of one size: started as the budget allows, and timed in turns."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sttk.benchmarks import stopwatch
from sttk.benchmarks.budget import Cost, Plan
from sttk.benchmarks.cases import PreparedCase, bytes_of
from sttk.benchmarks.config import OnProgress
from sttk.benchmarks.exports import Exports
from sttk.benchmarks.remote import OutOfTimeError, Remote
from sttk.benchmarks.rounds import LEAST_ROUNDS, TimedProcess
from sttk.benchmarks.rows import LeftOut, Row
from sttk.benchmarks.schedule import Candidate
from sttk.benchmarks.specs import ExportsSpec
from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.core.shapes import Size

NO_TIME, NO_MEMORY = "time", "memory"


class ExportProcess:
    """The process that exports models; it starts with the first export.

    Args:
        root: the folder that models are exported to.
        threads: the CPU threads that it may use.

    Attributes:
        until: see ``sttk.benchmarks.remote.Remote``.
    """

    def __init__(self, root: Path, threads: int) -> None:
        self._root, self._threads = root, threads
        self._remote: Remote[Exports] | None = None
        self.until: float | None = None

    def export(
        self, style: str, target: str, precision: Precision, size: Size, batch: int = 1
    ) -> Path:
        """See ``sttk.benchmarks.exports.Exports``.

        Raises:
            NotRunError: it cannot be exported so.
            OutOfTimeError: it was not done by ``until``; the process has been ended.
        """
        try:
            if self._remote is None:
                self._remote = Remote(ExportsSpec(self._root), self._threads, self.until)
            self._remote.until = self.until
            return self._remote.call(Exports.export, style, target, precision, size, batch)
        except OutOfTimeError:
            self.close()
            raise

    def close(self) -> None:
        """End the process."""
        if self._remote:
            self._remote.close()
        self._remote = None


@dataclass
class Started:
    """A case whose process is up and warm, or the reason why it is not."""

    prepared: PreparedCase
    process: TimedProcess | None = None
    reason: str = ""

    @property
    def row(self) -> Row:
        """The row of what was measured."""
        case, arithmetic = self.prepared.case, self.prepared.arithmetic
        if self.process is None or self.process.failure:
            failure = self.process.failure if self.process else self.reason
            return Row(case, not_run=failure, arithmetic=arithmetic)
        return Row(case, self.process.timing, arithmetic=arithmetic)


@dataclass
class SizeRun:
    """The benchmark of one size.

    Attributes:
        plan: the budget.
        exports: the process that exports models.
        threads: the CPU threads that each row may use.
        on_progress: called with the share that is done, and what is being done.
        rows: the rows, each with its prepared case.
        left_out: the cases that the budget has no room for.
    """

    plan: Plan
    exports: ExportProcess
    threads: int
    on_progress: OnProgress
    rows: list[tuple[PreparedCase, Row]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    _made: set[str] = field(default_factory=set)

    def run(self, queue: Sequence[Candidate]) -> None:
        """Start what fits into the budget, and time it."""
        # A kept budget has no time for a second group: what memory does not hold is left out.
        groups = [list(queue)] if self.plan.bounded else list(groups_of(queue))
        for group in groups:
            self._run(group, len(groups))
        if len(groups) > 1:
            self.rows = [(prepared, _apart(row)) for prepared, row in self.rows]

    def _run(self, group: Sequence[Candidate], groups: int) -> None:
        started: list[Started] = []
        room = stopwatch.memory_room()
        try:
            for number, candidate in enumerate(group):
                self.on_progress(0.6 * number / len(group), f"starting {candidate.case.variant}")
                held = sum(bytes_of(each.prepared.case) for each in started if each.process)
                if self.plan.bounded and held and held + candidate.bytes > room:
                    self.left_out.append(LeftOut(candidate.case, NO_MEMORY))
                elif one := self._offered(candidate):
                    started.append(one)
            self._take_turns([each.process for each in started if each.process], groups)
            self.rows += [(each.prepared, each.row) for each in started]
        finally:
            stopwatch.end([each.process for each in started if each.process])

    def _offered(self, candidate: Candidate) -> Started | None:
        """Start the candidate; return None if the plan leaves it out."""
        cost, required = candidate.with_shared(self._made), candidate.required
        one = None
        if required or self.plan.fits(cost):
            one = self._tried(candidate, cost)
        if one is None:
            self.left_out.append(LeftOut(candidate.case, NO_TIME))
        return one

    def _tried(self, candidate: Candidate, cost: Cost) -> Started | None:
        """Start the candidate; return None if that took longer than the plan allows."""
        until = None if candidate.required else self.plan.deadline
        began = time.perf_counter()
        try:
            one = self._started(candidate, until)
        except OutOfTimeError:
            self.plan.pace.learn("prepare", cost.prepare, time.perf_counter() - began)
            return None
        if one.process is None:
            return one
        self._made.add(candidate.shares)
        warmed = one.process.warmed
        prepare = max(0.0, one.process.ready - began - warmed.first)
        if self.plan.started(cost, prepare, warmed.seconds) or candidate.required:
            return one
        one.process.remote.kill()
        return None

    def _started(self, candidate: Candidate, until: float | None) -> Started:
        """Prepare and start the candidate. Raises OutOfTimeError if it is not warm by then."""
        self.exports.until = until
        prepared = candidate.prepare(self.exports)
        if prepared.clock is None:
            return Started(prepared, reason=prepared.reason)
        try:
            return Started(prepared, stopwatch.start(prepared.clock, self.threads, until))
        except OutOfTimeError:
            raise
        except NotRunError as error:
            return Started(prepared, reason=str(error))

    def _take_turns(self, processes: Sequence[TimedProcess], groups: int) -> None:
        """Run the rounds; a bounded plan ends them in time, whatever happens to a turn."""
        least = 1 if self.plan.bounded else LEAST_ROUNDS
        seconds = self.plan.for_rounds / groups
        stopwatch.time_started(
            processes,
            seconds,
            least,
            lambda done: self.on_progress(0.6 + 0.4 * done, "rounds"),
            until=self.plan.stop,
        )


def groups_of(queue: Sequence[Candidate]) -> Iterator[list[Candidate]]:
    """Yield groups, each as large as memory allows; most often a single one."""
    room = stopwatch.memory_room()
    group: list[Candidate] = []
    for candidate in queue:
        if group and sum(each.bytes for each in (*group, candidate)) > room:
            yield group
            group = []
        group.append(candidate)
    yield group


def _apart(row: Row) -> Row:
    """Return the row with a note that not all rows took turns with each other."""
    said = "not all rows took turns with each other: memory does not hold them at once"
    if row.timing is None:
        return row
    return replace(row, timing=replace(row.timing, notes=(*row.timing.notes, said)))
