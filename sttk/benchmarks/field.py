"""The rows of one size: started as the budget allows, timed in turns, and read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sttk.benchmarks.budget import Cost, Plan
from sttk.benchmarks.clocks import Clock
from sttk.benchmarks.entrants import Entrant, bytes_of
from sttk.benchmarks.exports import Exports
from sttk.benchmarks.lineup import Candidate
from sttk.benchmarks.remote import OutOfTimeError, Remote
from sttk.benchmarks.rounds import LEAST_ROUNDS, Racer, race
from sttk.benchmarks.rows import LeftOut, Row, Timing
from sttk.benchmarks.specs import ExportsSpec
from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.host.memory import available

NO_TIME, NO_MEMORY = "time", "memory"
_OF_MEMORY = 0.8
Told = Callable[[float, str], None]


class ExportProcess:
    """The process that exports; it is there from the first export on.

    Args:
        root: folder for models.
        threads: of the CPU.

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
    """A row whose process is up and warm, or the reason why it is not."""

    entrant: Entrant
    racer: Racer | None = None
    reason: str = ""

    @property
    def row(self) -> Row:
        """What was measured."""
        case, arithmetic = self.entrant.case, self.entrant.arithmetic
        if self.racer is None or self.racer.lost:
            lost = self.racer.lost if self.racer else self.reason
            return Row(case, not_run=lost, arithmetic=arithmetic)
        return Row(case, _timing(self.racer), arithmetic=arithmetic)


@dataclass
class Field:
    """Who takes part at one size, and what came of it.

    Attributes:
        plan: the budget.
        exports: the process that exports models.
        threads: of the CPU, for each row.
        told: who is told what goes on.
        rows: what was found, each with the entrant that it is of.
        left_out: what the plan has no room for.
    """

    plan: Plan
    exports: ExportProcess
    threads: int
    told: Told
    rows: list[tuple[Entrant, Row]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    _made: set[str] = field(default_factory=set)

    def run(self, queue: Sequence[Candidate]) -> None:
        """Start what fits, and time it."""
        # A budget has no time for a second group: what memory does not hold is left out.
        groups = [list(queue)] if self.plan.bounded else list(groups_of(queue))
        for group in groups:
            self._run(group, len(groups))
        if len(groups) > 1:
            self.rows = [(entrant, _apart(row)) for entrant, row in self.rows]

    def _run(self, group: Sequence[Candidate], groups: int) -> None:
        started: list[Started] = []
        room = _room()
        try:
            for number, candidate in enumerate(group):
                self.told(0.6 * number / len(group), f"starting {candidate.case.way}")
                held = sum(bytes_of(each.entrant.case) for each in started if each.racer)
                if self.plan.bounded and held and held + candidate.bytes > room:
                    self.left_out.append(LeftOut(candidate.case, NO_MEMORY))
                elif one := self._offered(candidate):
                    started.append(one)
            self._race([each.racer for each in started if each.racer], groups)
            self.rows += [(each.entrant, each.row) for each in started]
        finally:
            _close(started)

    def _offered(self, candidate: Candidate) -> Started | None:
        """The candidate started; None if the plan leaves it out."""
        cost, required = candidate.with_shared(self._made), candidate.required
        one = None
        if required or self.plan.fits(cost):
            one = self._tried(candidate, cost)
        if one is None:
            self.left_out.append(LeftOut(candidate.case, NO_TIME))
        return one

    def _tried(self, candidate: Candidate, cost: Cost) -> Started | None:
        """The candidate started; None if that took longer than the plan allows."""
        until = None if candidate.required else self.plan.deadline
        began = time.perf_counter()
        try:
            one = self._started(candidate, until)
        except OutOfTimeError:
            self.plan.pace.learn("prepare", cost.prepare, time.perf_counter() - began)
            return None
        if one.racer is None:
            return one
        self._made.add(candidate.shares)
        warmed = one.racer.warmed
        prepare = max(0.0, one.racer.ready - began - warmed.first)
        if self.plan.started(cost, prepare, warmed.seconds) or candidate.required:
            return one
        one.racer.remote.kill()
        return None

    def _started(self, candidate: Candidate, until: float | None) -> Started:
        """Raises OutOfTimeError if it is not warm by then."""
        self.exports.until = until
        entrant = candidate.enter(self.exports)
        if entrant.reason:
            return Started(entrant, reason=entrant.reason)
        try:
            return Started(entrant, started(entrant, self.threads, until))
        except OutOfTimeError:
            raise
        except NotRunError as error:
            return Started(entrant, reason=str(error))

    def _race(self, racers: Sequence[Racer], groups: int) -> None:
        """Rounds; where the plan is bounded they end with it, whatever happens to a turn."""
        bounded = self.plan.bounded
        for racer in racers:
            racer.remote.until = self.plan.stop
        least = 1 if bounded else LEAST_ROUNDS
        seconds = self.plan.for_rounds / groups
        race(racers, seconds, lambda done: self.told(0.6 + 0.4 * done, "rounds"), least)
        for racer in racers:
            if racer.running:
                racer.attempt(Racer.weigh)


def started(entrant: Entrant, threads: int, until: float | None) -> Racer:
    """In its process, and warm.

    Raises:
        NotRunError: why it cannot run.
        OutOfTimeError: it is not warm by then.
    """
    if entrant.clock is None:
        raise NotRunError(entrant.reason)
    remote: Remote[Clock] = Remote(entrant.clock, threads, until)
    racer = Racer(remote, ready=time.perf_counter())
    try:
        racer.warm()
    except BaseException:
        racer.remote.close()
        raise
    return racer


def groups_of(queue: Sequence[Candidate]) -> Iterator[list[Candidate]]:
    """As many at once as memory holds; most often all of them."""
    room = _room()
    group: list[Candidate] = []
    for candidate in queue:
        if group and sum(each.bytes for each in (*group, candidate)) > room:
            yield group
            group = []
        group.append(candidate)
    yield group


def _room() -> float:
    free = available()
    return _OF_MEMORY * free if free else float("inf")


def _apart(row: Row) -> Row:
    """Rows that did not all take turns with each other say so."""
    said = "not all rows took turns with each other: memory does not hold them at once"
    if row.timing is None:
        return row
    return replace(row, timing=replace(row.timing, notes=(*row.timing.notes, said)))


def _timing(racer: Racer) -> Timing:
    warmed = racer.warmed
    return Timing(
        tuple(map(tuple, racer.turns)),
        tuple(map(tuple, racer.wholes)),
        warmed.load,
        warmed.first,
        racer.memory,
        warmed.steady,
        warmed.notes,
    )


def _close(started: Sequence[Started]) -> None:
    """End all processes, at the same time; those that have a time to keep, at once."""
    remotes = [each.racer.remote for each in started if each.racer]
    for remote in remotes:
        remote.dismiss()
    for remote in remotes:
        remote.close() if remote.until is None else remote.kill()
