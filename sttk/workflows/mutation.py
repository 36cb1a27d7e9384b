"""Mutation tests of the parity gate: faulty nets are exported, and each must be caught."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sttk.exporters.artifact import temporary_artifact
from sttk.exporters.base import ExportRequest
from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.errors import SttkError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.rungs import FAITHFUL, SAME_STYLE
from sttk.toolkit.core.shapes import Shapes, Size
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.devices import DEFAULT, device
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.imaging.regimes import CONSTANT, Regimes, shipped_photos
from sttk.toolkit.opened.artifact import OpenArtifact, float_reference_of, open_entry
from sttk.toolkit.parity.compare import Report
from sttk.toolkit.parity.mutants import MUTANTS, Mutant, effect
from sttk.toolkit.parity.run import Judge, ParityConfig
from sttk.toolkit.parity.style import StyleJudge

KILLED, SURVIVED, NO_FAULT = "killed", "survived", "no fault"
# In units of 0..255, in float64: the effect of a fault that cancels is smaller, any other's larger.
_NO_EFFECT = 1e-6
# Large enough for each pad and upsampling to have an effect.
_SMALL = Shapes.fixed(96, 128)

Update = Callable[[float, str], None]
Format = tuple[str, Precision]  # a target's name, and a precision


@dataclass(frozen=True)
class Column:
    """A format, and the device on which its models are judged.

    Attributes:
        target: the name of the target that nets are exported to.
        precision: the precision of the models.
        device: the name of a device that runs them.
    """

    target: str
    precision: Precision
    device: str = DEFAULT

    def __str__(self) -> str:
        """Return text such as ``onnx fp16 on arm64``."""
        where = "" if self.device == DEFAULT else f" on {self.device}"
        return f"{self.target} {self.precision}{where}"


@dataclass(frozen=True)
class MutantOutcome:
    """The outcome of one net in one column.

    Attributes:
        mutant: the name of the fault, "" for the unchanged net.
        column: the format that it was exported to, and where it was judged.
        verdict: :data:`KILLED`, :data:`SURVIVED`, or :data:`NO_FAULT` if the function is the same.
        caught: the number of inputs with a failed row.
        judged: the number of inputs with a judged row.
        regimes: the regimes of the inputs that failed.
        note: an error, or why the model itself was not run.
    """

    mutant: str
    column: Column
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
        columns: the formats and devices; those of one format stand together.
        clean: the unchanged net in each column.
        outcomes: every mutant in every column.
    """

    style: str
    size: Size
    columns: tuple[Column, ...]
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
    columns: Sequence[Column],
    size: Size,
    update: Update,
    mutants: Sequence[Mutant] = MUTANTS,
) -> KillTable:
    """Export ``net`` and its mutants, and judge the models on their devices.

    Args:
        net: the net.
        columns: the formats and devices; those of one format are brought together.
        size: (height, width) to export and judge.
        update: progress callback: how many of ``1 + len(mutants)`` nets are done, and the next.
        mutants: the faults.

    Raises:
        SttkError: the net itself cannot be exported or judged.
    """
    gate = _Gate(columns, size)
    update(0, net.origin.name)
    clean = tuple(gate.clean(net))
    samples = Regimes(shipped_photos()[:1], _SMALL)
    inputs = [sample.batch for sample in samples if sample.regime != CONSTANT]
    outcomes: list[MutantOutcome] = []
    for done, mutant in enumerate(mutants, 1):
        update(done, mutant.name)
        outcomes += gate.outcomes(net, mutant, inputs)
    return KillTable(net.origin.name, size, gate.columns, clean, tuple(outcomes))


class _Gate:
    """The gate that is tested: parity, in each column."""

    def __init__(self, columns: Sequence[Column], size: Size) -> None:
        self._formats: dict[Format, list[Column]] = {}
        for column in dict.fromkeys(columns):
            self._formats.setdefault((column.target, column.precision), []).append(column)
        self.columns = tuple(column for found in self._formats.values() for column in found)
        self._size = size
        # The style of a picture costs more than all else, and tells apart only what promises it.
        self._judges = {
            SAME_STYLE: Judge(ParityConfig(shipped_photos(), style=StyleJudge(), diagnose=False)),
            FAITHFUL: Judge(ParityConfig(shipped_photos(), style=None, diagnose=False)),
        }

    def clean(self, net: StyleNet) -> Iterator[MutantOutcome]:
        """Yield the outcomes of the unchanged net."""
        for made in self._formats:
            for column, report in self._reports(net, made):
                yield _outcome("", column, NO_FAULT if report.passed else KILLED, report)

    def outcomes(
        self, net: StyleNet, mutant: Mutant, inputs: Sequence[Floats]
    ) -> Iterator[MutantOutcome]:
        """Yield one mutant's outcomes; all formats export the same faulty net and share a graph."""
        if not _is_fault(mutant, net, inputs):
            yield from (MutantOutcome(mutant.name, column, NO_FAULT) for column in self.columns)
            return
        faulty = mutant.of(net)
        for made, columns in self._formats.items():
            judged: list[Column] = []
            try:
                for column, report in self._reports(faulty, made):
                    verdict = SURVIVED if report.passed else KILLED
                    yield _outcome(mutant.name, column, verdict, report)
                    judged.append(column)
            except SttkError as error:  # the unchanged net raised none
                for column in columns[len(judged) :]:
                    yield MutantOutcome(mutant.name, column, KILLED, note=str(error))

    def _reports(self, net: StyleNet, made: Format) -> Iterator[tuple[Column, Report]]:
        """Export a net once, and yield its report in each column of that format."""
        target, precision = made
        # A rewrite's own check would reject a faulty net; the gate is to be tested, not that check.
        shapes = Shapes.fixed(*self._size)
        request: ExportRequest[Any] = ExportRequest(net, Plan(precision), shapes, rewrite=False)
        with temporary_artifact(target, request) as entry:
            opened = open_entry(entry)
            reference = float_reference_of(opened.manifest)
            for column in self._formats[made]:
                there = replace(opened, device=device(column.device))
                yield column, self._judge(there).artifact(there, reference)

    def _judge(self, opened: OpenArtifact) -> Judge:
        manifest = opened.manifest
        there = manifest.promise if opened.device.name == DEFAULT else manifest.promise_in_half
        return self._judges[SAME_STYLE if SAME_STYLE in (manifest.promise, there) else FAITHFUL]


def _is_fault(mutant: Mutant, net: StyleNet, inputs: Sequence[Floats]) -> bool:
    return any(effect(mutant, net, [batch]) > _NO_EFFECT for batch in inputs)


def _outcome(name: str, column: Column, verdict: str, report: Report) -> MutantOutcome:
    failed = [row for row in report.rows if not row.passed]
    return MutantOutcome(
        name,
        column,
        verdict,
        len({row.name for row in failed}),
        len({row.name for row in report.rows if row.judged}),
        tuple(dict.fromkeys(row.regime for row in failed)),
        note=report.not_run,
    )
