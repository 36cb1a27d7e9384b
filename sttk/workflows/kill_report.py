"""A kill table as text."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata

from sttk.toolkit import targets
from sttk.toolkit.core.shapes import text
from sttk.workflows.mutation import KILLED, NO_FAULT, SURVIVED, KillTable, MutantOutcome

_ABOUT = """\
Every fault is put into the net, the net is exported, and the artifact is judged by what
`sttk parity` does by default. A cell says on how many of the inputs it was caught; *none* is a
fault that makes no difference to this net, which float64 shows (under 1e-6 of 255). The last column
names the inputs that caught it where not all did, in all columns together. What float32 arithmetic
itself may cost cannot be caught: a variance over n - 1 in place of n is, at 96x128, but is not in
this table, since at 512x512 it comes to no more than the order of a sum.
"""


def cells(table: KillTable) -> list[list[str]]:
    """Return a row for the unchanged net, then one for each fault: its name, a cell per target."""
    rows = [["(no fault)", *map(_clean, table.clean)]]
    rows += [[name, *map(_cell, found)] for name, found in _by_mutant(table)]
    return rows


def summary(table: KillTable) -> Iterator[str]:
    """Yield lines: the kill rate and false alarms, then what was not run."""
    killed, survived = len(table.of(KILLED)), len(table.of(SURVIVED))
    faults = len({each.mutant for each in table.outcomes if each.verdict != NO_FAULT})
    alarms = sum(each.verdict != NO_FAULT for each in table.clean)
    what = f"{faults} faults, each exported and judged in {len(table.columns)} ways"
    yield f"{what}: {killed} of {killed + survived} caught, {alarms} false alarms"
    for each in table.clean:
        if each.note:
            yield f"{each.column} {each.note}; judged by the graph that it was compiled from"
    for each in table.of(KILLED):
        if not each.judged:
            yield f"{each.mutant}, {each.column}: {each.note}"


def to_markdown(table: KillTable) -> str:
    """Return the table as the Markdown report that is committed."""
    regimes = {name: _caught_by(found) for name, found in _by_mutant(table)}
    lines = [
        f"# Kill table: {table.style}, {text(table.size)}",
        "",
        *_ABOUT.splitlines(),
        "",
        *(f"**{line}.**" for line in summary(table)),
        "",
        f"Python {platform.python_version()}, {', '.join(_versions())}; {platform.machine()}.",
        f"Made by: `{_command(table)} --markdown FILE`",
        "",
        _row(["fault", *map(str, table.columns), "caught by"]),
        "|" + "---|" * (len(table.columns) + 2),
        *(_row([*row, regimes.get(row[0], "")]) for row in cells(table)),
    ]
    return "\n".join(lines) + "\n"


def _command(table: KillTable) -> str:
    given = [
        *(f"--target {each.target}" for each in table.columns),
        *(f"--precision {each.precision}" for each in table.columns),
        *(f"--device {each.device}" for each in table.columns),
    ]
    return f"sttk mutants {table.style} {' '.join(dict.fromkeys(given))} --size {text(table.size)}"


def _row(values: list[str]) -> str:
    return f"| {' | '.join(values)} |"


def _versions() -> Iterator[str]:
    for name in ("torch", *targets.distributions()):
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            yield f"no {name}"


def _by_mutant(table: KillTable) -> Iterator[tuple[str, list[MutantOutcome]]]:
    for name in dict.fromkeys(each.mutant for each in table.outcomes):
        yield name, [each for each in table.outcomes if each.mutant == name]


def _clean(outcome: MutantOutcome) -> str:
    if outcome.verdict == NO_FAULT:
        return f"passes, {outcome.judged}"
    return f"FALSE ALARM, {outcome.caught} of {outcome.judged}"


def _cell(outcome: MutantOutcome) -> str:
    if outcome.verdict == SURVIVED:
        return "SURVIVED"
    if outcome.verdict == NO_FAULT:
        return "none"
    if outcome.judged and not outcome.caught:
        return "by its graph"
    return f"{outcome.caught} of {outcome.judged}" if outcome.judged else "refused"


def _caught_by(found: list[MutantOutcome]) -> str:
    killed = [each for each in found if each.verdict == KILLED]
    if not killed or all(each.caught == each.judged for each in killed):
        return "all" if killed else ""
    return ", ".join(dict.fromkeys(name for each in killed for name in each.regimes))
