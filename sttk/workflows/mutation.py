"""Mutation tests of the parity gate: faulty nets are exported, and each must be caught."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sttk.exporters import exporter
from sttk.exporters.artifact import temporary_artifact
from sttk.exporters.base import ExportRequest
from sttk.toolkit.core.errors import SttkError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes, Size
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.imaging.regimes import CONSTANT, Regimes, shipped_photos
from sttk.toolkit.opened.artifact import float_reference_of, open_entry
from sttk.toolkit.parity.compare import Report
from sttk.toolkit.parity.mutants import MUTANTS, Mutant, effect
from sttk.toolkit.parity.run import Judge, ParityConfig

KILLED, SURVIVED, NO_FAULT = "killed", "survived", "no fault"
# In units of 0..255, in float64: the effect of a fault that cancels is smaller, any other's larger.
_NO_EFFECT = 1e-6
# Large enough for each pad and upsampling to have an effect.
_SMALL = Shapes.fixed(96, 128)

Update = Callable[[float, str], None]


@dataclass(frozen=True)
class MutantOutcome:
    """The outcome of one net at one target.

    Attributes:
        mutant: the name of the fault, "" for the unchanged net.
        target: the target that it was exported to.
        verdict: :data:`KILLED`, :data:`SURVIVED`, or :data:`NO_FAULT` if the function is the same.
        caught: the number of inputs with a failed row.
        judged: the number of inputs with a judged row.
        regimes: the regimes of the inputs that failed.
        note: an error, or why the model itself was not run.
    """

    mutant: str
    target: str
    verdict: str
    caught: int = 0
    judged: int = 0
    regimes: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class KillTable:
    """The results of a mutation test.

    Attributes:
        style: the style whose net was mutated.
        size: (height, width) that was exported and judged.
        targets: the precision of each target, by name.
        clean: the unchanged net at each target.
        outcomes: every mutant at every target.
    """

    style: str
    size: Size
    targets: dict[str, str]
    clean: tuple[MutantOutcome, ...]
    outcomes: tuple[MutantOutcome, ...]

    @property
    def passed(self) -> bool:
        """Whether every fault was caught, and the unchanged net passed."""
        alarms = any(each.verdict != NO_FAULT for each in self.clean)
        return not alarms and not self.of(SURVIVED) and bool(self.of(KILLED))

    def of(self, verdict: str) -> list[MutantOutcome]:
        """Return the outcomes of mutants with this verdict."""
        return [each for each in self.outcomes if each.verdict == verdict]

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain JSON values."""
        return {**asdict(self), "passed": self.passed}


def kill_table(
    net: StyleNet,
    targets: Sequence[str],
    size: Size,
    update: Update,
    mutants: Sequence[Mutant] = MUTANTS,
) -> KillTable:
    """Export ``net`` and its mutants to ``targets`` in their default precisions, and judge them.

    Args:
        net: the net.
        targets: the names of the targets.
        size: (height, width) to export and judge.
        update: progress callback: how many of ``1 + len(mutants)`` nets are done, and the next.
        mutants: the faults.

    Raises:
        SttkError: the net itself cannot be exported or judged.
    """
    judge = Judge(ParityConfig(shipped_photos(), style=None))
    precisions = {target: exporter(target).precisions[0] for target in targets}
    update(0, net.origin.name)
    clean = tuple(_clean(judge, net, target, size) for target in targets)
    samples = Regimes(shipped_photos()[:1], _SMALL)
    inputs = [sample.batch for sample in samples if sample.regime != CONSTANT]
    outcomes: list[MutantOutcome] = []
    for done, mutant in enumerate(mutants, 1):
        update(done, mutant.name)
        outcomes += _outcomes(judge, net, mutant, targets, size, inputs)
    return KillTable(net.origin.name, size, dict(precisions), clean, tuple(outcomes))


def _clean(judge: Judge, net: StyleNet, target: str, size: Size) -> MutantOutcome:
    report = _judged(judge, net, target, size)
    return _outcome("", target, NO_FAULT if report.passed else KILLED, report)


def _outcomes(
    judge: Judge,
    net: StyleNet,
    mutant: Mutant,
    targets: Sequence[str],
    size: Size,
    inputs: Sequence[Floats],
) -> Iterator[MutantOutcome]:
    """Yield one mutant's outcomes; all targets export the same faulty net and share its graph."""
    if not _is_fault(mutant, net, inputs):
        yield from (MutantOutcome(mutant.name, target, NO_FAULT) for target in targets)
        return
    faulty = mutant.of(net)
    for target in targets:
        try:
            report = _judged(judge, faulty, target, size)
        except SttkError as error:  # the unchanged net raised none
            yield MutantOutcome(mutant.name, target, KILLED, note=str(error))
        else:
            verdict = SURVIVED if report.passed else KILLED
            yield _outcome(mutant.name, target, verdict, report)


def _is_fault(mutant: Mutant, net: StyleNet, inputs: Sequence[Floats]) -> bool:
    return any(effect(mutant, net, [batch]) > _NO_EFFECT for batch in inputs)


def _judged(judge: Judge, net: StyleNet, target: str, size: Size) -> Report:
    # A rewrite's own check would reject a faulty net; the gate is to be tested, not that check.
    plan = Plan(exporter(target).precisions[0])
    request: ExportRequest[Any] = ExportRequest(net, plan, Shapes.fixed(*size), rewrite=False)
    with temporary_artifact(target, request) as entry:
        opened = open_entry(entry)
        return judge.artifact(opened, float_reference_of(opened.manifest))


def _outcome(name: str, target: str, verdict: str, report: Report) -> MutantOutcome:
    failed = [row for row in report.rows if not row.passed]
    return MutantOutcome(
        name,
        target,
        verdict,
        len({row.name for row in failed}),
        len({row.name for row in report.rows if row.judged}),
        tuple(dict.fromkeys(row.regime for row in failed)),
        note=report.not_run,
    )
