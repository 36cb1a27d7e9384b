"""Comparison of two results from one machine, row by row, for significant slowdowns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sttk.benchmarks.rows import Case, Results, Row
from sttk.benchmarks.statistics import ratio_interval
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.io.json_text import read_json

# A table of every target takes 100 kB, most of it samples.
_MOST_BYTES = 1 << 26


@dataclass(frozen=True)
class Change:
    """The change of a case that is in both results.

    Attributes:
        case: the case.
        ratio: the ratio of the medians, new by old; over 1 is slower.
        low: the lower bound of the ratio's 95 % confidence interval
            (``sttk.benchmarks.statistics``).
        high: the upper bound of the interval.
    """

    case: Case
    ratio: float
    low: float
    high: float

    def slower(self, allowed: float) -> bool:
        """Return whether it is significantly slower by more than ``allowed``, such as 0.1."""
        return self.low > 1 + allowed


def read_results(path: Path) -> Results:
    """Read the output of ``sttk bench --json``.

    Raises:
        UsageError: the file cannot be read, or has other content.
    """
    try:
        content = read_json(path, _MOST_BYTES)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{path}: not the results of 'sttk bench --json': {error}") from error
    try:
        results = Results.from_dict(content)
        _ = [results.environment[part].keys() for part in ("machine", "software")]
        _ = [row.timing.summary for row in results.rows if row.timing]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: not the results of 'sttk bench --json'") from error
    return results


def check_alike(now: dict[str, Any], then: dict[str, Any]) -> None:
    """Raise UsageError if the results are from different machines or numbers of threads.

    Args:
        now: the environment (``sttk.benchmarks.environment``) of the newer results.
        then: the environment of the older results.
    """
    here, there = now["machine"], then["machine"]
    unlike = [
        f"{name}: {there.get(name)} then, {here.get(name)} now"
        for name in dict.fromkeys((*there, *here))
        if there.get(name) != here.get(name)
    ]
    if unlike:
        raise UsageError(
            f"measured on another machine: {'; '.join(unlike)}", fix="measure both on one machine"
        )


def changed_software(new: Results, old: Results) -> list[str]:
    """Return the changes of software versions, such as ``torch: 2.12 -> 2.13``."""
    now, then = new.environment["software"], old.environment["software"]
    names = dict.fromkeys((*then, *now))
    pairs = [(name, then.get(name, "none"), now.get(name, "none")) for name in names]
    return [f"{name}: {old} -> {new}" for name, old, new in pairs if old != new]


def changes(new: Results, old: Results) -> list[Change]:
    """Return the change of every case in both results; raise UsageError if machines differ."""
    check_alike(new.environment, old.environment)
    before = {row.case: row for row in old.rows if row.timing}
    return [_change(row, before[row.case]) for row in new.rows if row.timing and row.case in before]


def gone(new: Results, old: Results) -> list[Row]:
    """Return the new rows that did not run although they ran in the old results."""
    ran = {row.case for row in old.rows if row.timing}
    return [row for row in new.rows if not row.timing and row.case in ran]


def slower(found: Sequence[Change], allowed: float) -> list[Change]:
    """Return the changes that are significantly slower by more than ``allowed``."""
    return [change for change in found if change.slower(allowed)]


def _change(new: Row, old: Row) -> Change:
    if new.timing is None or old.timing is None:
        raise ValueError("only what ran can be compared")
    low, high = ratio_interval(new.timing.settled, old.timing.settled)
    return Change(new.case, new.seconds / old.seconds, low, high)
