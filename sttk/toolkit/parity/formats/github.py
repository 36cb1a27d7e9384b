"""GitHub annotations: lines that the runner turns into notes on the run and the pull request.

The runner reads them from both streams (actions/runner, ``ScriptHandler.cs``), so they go to
standard error: standard output may be JSON.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sttk.toolkit.parity.formats.phrases import FAIL, headline, status, verdict
from sttk.toolkit.parity.outcome import Judged, Outcome
from sttk.toolkit.parity.show import explained


def is_here(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a GitHub runner reads what is printed."""
    return environment.get("GITHUB_ACTIONS") == "true"


def is_step_summary(path: Path, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether ``path`` is the job summary, to which each command of a step appends."""
    summary = environment.get("GITHUB_STEP_SUMMARY")
    return bool(summary) and path.absolute() == Path(str(summary)).absolute()


def commands(outcomes: Sequence[Outcome]) -> str:
    """Return a line for each model that fails or did not run, or one for a run that passed.

    GitHub shows at most ten annotations of a kind and step, so inputs have none of their own.
    """
    lines = [line for outcome in outcomes for line in _lines(outcome)]
    if all(outcome.passed for outcome in outcomes):
        lines.append(_command("notice", "sttk parity", headline(outcomes)))
    return "".join(f"{line}\n" for line in lines)


def _lines(outcome: Outcome) -> Iterator[str]:
    if not outcome.passed:
        what = "parity fails" if status(outcome) == FAIL else "required, and not run"
        yield _command("error", f"{what}: {outcome.candidate}", _reason(outcome))
    elif outcome.not_run:
        yield _command("warning", f"not run: {outcome.candidate}", outcome.not_run)


def _reason(outcome: Outcome) -> str:
    """Return the verdict, the failed checks, and an explanation of the worst input."""
    if not isinstance(outcome, Judged):
        return verdict(outcome)
    report = outcome.report
    failed = [f"{check.name}: {check.detail}" for check in report.checks if not check.passed]
    return "\n".join([verdict(outcome), *failed, *filter(None, [explained(report.worst)])])


def _command(kind: str, title: str, message: str) -> str:
    """Format a workflow command, escaped as in actions/toolkit's ``core/src/command.ts``."""
    inner = _escaped(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={inner}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
