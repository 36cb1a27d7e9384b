"""Plans measured as what they become: exported, run under the target's own runtime, timed."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.toolkit import targets
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.opened.artifact import open_artifact
from sttk.toolkit.runtimes.base import Runner
from sttk.workflows.plan_search.trial import Inputs, Score

# Runtimes whose time is what a user of the model waits for.
TIMED = frozenset(each.runtime for each in targets.every() if each.timed)
ROUNDS = 15
# Threads of one runtime wait for more work for a while, and would slow the next.
_PAUSE = 0.02  # seconds


@dataclass(frozen=True)
class Measured:
    """One exported plan.

    Attributes:
        score: by input.
        milliseconds: median of one picture, or None where the runtime's time means nothing.
        runtime: that ran it.
        notes: of the runtime, and why another one ran the graph in its place.
    """

    score: Score
    milliseconds: float | None
    runtime: str
    notes: tuple[str, ...] = ()


def measure(
    target: str,
    requests: Sequence[ExportRequest[Any]],
    inputs: Inputs,
    on_progress: Callable[[int], None],
) -> list[Measured]:
    """Export and run each request.

    Times are taken in turns.
    """
    with tempfile.TemporaryDirectory(prefix="sttk-") as root, ExitStack() as stack:
        runners: list[tuple[Runner, str]] = []
        scores = []
        for index, request in enumerate(requests):
            on_progress(index)
            folder = make_artifact(target, request, Path(root))
            runner, not_run = open_artifact(folder).runner_or_graph()
            runners.append((stack.enter_context(runner), not_run))
            scores.append(inputs.score(runner.run))
        timed = all(runner.name in TIMED and not not_run for runner, not_run in runners)
        picture = inputs.asked[0][0].batch
        taken = in_turns([runner for runner, _ in runners], picture) if timed else None
    medians = map(statistics.median, taken) if taken else [None] * len(runners)
    return [
        Measured(score, milliseconds, runner.name, _notes(runner, not_run))
        for score, milliseconds, (runner, not_run) in zip(scores, medians, runners, strict=True)
    ]


def _notes(runner: Runner, not_run: str) -> tuple[str, ...]:
    graph = f"{not_run}; measured is the graph that it was compiled from, under {runner.name}"
    return (*runner.notes, *((graph,) if not_run else ()))


def in_turns(
    runners: Sequence[Runner], picture: Floats, on_progress: Callable[[int], None] = lambda _: None
) -> list[list[float]]:
    """Milliseconds of each runner, in ``ROUNDS`` rounds after one warm-up.

    A round is one picture of each, so that what else the machine does hits all of them alike;
    ``on_progress`` is on_progress the number of each, 0 for the warm-up.
    """
    taken: list[list[float]] = [[] for _ in runners]
    for turn in range(ROUNDS + 1):
        on_progress(turn)
        for runner, times in zip(runners, taken, strict=True):
            time.sleep(_PAUSE)
            started = time.perf_counter()
            runner.run(picture)
            times.append(1e3 * (time.perf_counter() - started))
    return [times[1:] for times in taken]
