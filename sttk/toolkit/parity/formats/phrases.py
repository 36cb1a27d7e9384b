"""The phrases that all formats share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sttk.toolkit.core.errors import ParityError
from sttk.toolkit.core.rungs import DIFFERENT
from sttk.toolkit.parity import judge
from sttk.toolkit.parity.bisect.show import verdict as bisection_verdict
from sttk.toolkit.parity.compare import Row
from sttk.toolkit.parity.outcome import Judged, Outcome
from sttk.toolkit.parity.show import decibels, reason, summary

PASS, FAIL, NOT_RUN = "pass", "FAIL", "not run"


def status(outcome: Outcome) -> str:
    """Return ``pass``, ``FAIL`` or ``not run``."""
    if isinstance(outcome, Judged) and outcome.exit_code == ParityError.exit_code:
        return FAIL
    if outcome.not_run:
        return NOT_RUN
    return PASS if isinstance(outcome, Judged) else FAIL


def verdict(outcome: Outcome) -> str:
    """Return a verdict such as ``exact promised; 10 exact, 1 ill-conditioned``, or the error."""
    if not isinstance(outcome, Judged):
        return str(outcome.error)
    promised = summary(outcome.report).partition(": ")[2]
    if outcome.report.not_run:
        return f"{outcome.not_run}; the graph that it was compiled from: {promised}"
    return promised


def notes(outcome: Judged) -> tuple[str, ...]:
    """Return the report's notes, and the bisection's verdict if there is one."""
    found = outcome.bisection
    return (*outcome.report.notes, *([bisection_verdict(found)] if found else []))


def headline(outcomes: Sequence[Outcome]) -> str:
    """Return the result of a run, such as ``parity fails for 1 of 3 models, 1 not run``."""
    statuses = [status(outcome) for outcome in outcomes]
    failed, absent, total = statuses.count(FAIL), statuses.count(NOT_RUN), len(statuses)
    of = f"{total} model{'s' * (total != 1)}"
    if failed:
        result = f"parity fails for {failed} of {of}"
    else:
        result = f"parity holds for {f'{total - absent} of ' * bool(absent)}{of}"
    return f"{result}, {absent} not run" if absent else result


def rung(row: Row) -> str:
    """Return the verdict on one input; ``FAIL: only faithful`` where more was promised."""
    if row.passed:
        return row.rung
    return f"FAIL: {row.rung}" if row.rung == DIFFERENT else f"FAIL: only {row.rung}"


def figures(row: Row) -> str:
    """Return all figures of a row in one line."""
    parts = []
    if not math.isnan(row.found.largest):
        parts.append(f"largest error {row.found.largest:.4g}, mean {row.found.mean:.3g}")
        parts.append(f"border {row.border.mean:.3g}, inside {row.inside.mean:.3g}")
    for label, found in (("PSNR", row.found), ("float32", row.floor), ("noise", row.noise)):
        if number := decibels(found):
            parts.append(f"{label} {number} dB")
    return "; ".join([*parts, *filter(None, [reason(row)])])


def skipped(row: Row) -> str:
    """Return why a row is no verdict on the model, or ""."""
    if row.rung == judge.ILL_CONDITIONED:
        return "ill-conditioned: the reference is not sure of its own answer to this input"
    if row.rung == judge.NOT_RUN:
        return row.note or judge.NOT_RUN
    return ""
