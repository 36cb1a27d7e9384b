"""Parity: a candidate runtime against the reference, input by input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from toolkit.errors import RunError
from toolkit.parity.judge import Limits
from toolkit.parity.metrics import Difference, difference
from toolkit.regimes import Sample
from toolkit.runtimes.base import Check, Runner

_NOTHING = Difference(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class Row:
    """One input's result; ``note`` says why it failed where the figures cannot."""

    name: str
    found: Difference
    passed: bool
    note: str = ""


@dataclass(frozen=True)
class Report:
    """A candidate's results.

    Attributes:
        candidate: what was judged, for people.
        runtime: which runtime ran it.
        reference: the checkpoint it was held against.
        limits: what was allowed.
        rows: at least one.
        notes: what else a reader must know.
        checks: what was found without running the model.
        target: of the artifact; "" for a bare model.
        not_run: why the model itself could not be run; the rows are then those of the graph that
            it was compiled from. "" where it ran.
    """

    candidate: str
    runtime: str
    reference: str
    limits: Limits
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    target: str = ""
    not_run: str = ""

    @property
    def passed(self) -> bool:
        """Every input passed, and there was one; so did every check."""
        rows = bool(self.rows) and all(row.passed for row in self.rows)
        return rows and all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {**asdict(self), "rows": [asdict(row) for row in self.rows], "passed": self.passed}


def compare(
    candidate: Runner, reference: Runner, samples: Iterable[Sample], limits: Limits
) -> Iterator[Row]:
    """Run both on every sample and judge each difference."""
    for sample in samples:
        yield _row(candidate, reference, sample, limits)


def _row(candidate: Runner, reference: Runner, sample: Sample, limits: Limits) -> Row:
    wanted = reference.run(sample.batch)
    try:
        got = candidate.run(sample.batch)
    except RunError as error:
        return Row(sample.name, _NOTHING, False, str(error))
    if got.shape != wanted.shape:
        return Row(sample.name, _NOTHING, False, f"shape {got.shape}, not {wanted.shape}")
    found = difference(got, wanted)
    return Row(sample.name, found, limits.allow(found))
