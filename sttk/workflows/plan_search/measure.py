"""Plans measured as what they become: exported, run under the target's own runtime, timed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sttk.benchmarks.specs import ModelSpec
from sttk.benchmarks.stopwatch import ROUNDS, median_milliseconds, time_interleaved
from sttk.exporters.artifact import make_entry
from sttk.exporters.base import ExportRequest
from sttk.toolkit import targets
from sttk.toolkit.artifact.search import Entry
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.devices import DEFAULT, device
from sttk.toolkit.opened.artifact import open_entry
from sttk.workflows.plan_search.trial import Inputs, Score

# Runtimes whose time is what a user of the model waits for.
TIMED = frozenset(each.runtime for each in targets.every() if each.timed)


@dataclass(frozen=True)
class Measured:
    """An exported plan, measured.

    Attributes:
        score: its quality, by input.
        milliseconds: the median of one picture, or None where the runtime's time means nothing.
        runtime: the runtime that ran it.
        notes: the runtime's notes, and why another one ran the graph in its place.
    """

    score: Score
    milliseconds: float | None
    runtime: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Scored:
    """An exported model and its score; ``graph`` says why its graph was run instead, or ""."""

    model: Path
    score: Score
    runtime: str
    notes: tuple[str, ...]
    graph: str


def measure(
    target: str,
    requests: Sequence[ExportRequest[Any]],
    inputs: Inputs,
    on_progress: Callable[[int], None],
    devices: Sequence[str] = (DEFAULT,),
) -> list[Measured]:
    """Export, score and time each request; all are timed in the same rounds, on this host.

    Args:
        target: the target to export to.
        requests: the exports.
        inputs: what they are scored on.
        on_progress: called with the index of the request that is exported next.
        devices: the names of the devices that they are scored on, at least one.

    Raises:
        NotRunError: a device is not here, or a model that was scored cannot be timed.
    """
    with tempfile.TemporaryDirectory(prefix="sttk-") as root:
        scored = []
        for index, request in enumerate(requests):
            on_progress(index)
            entry = make_entry(target, request, Path(root))
            scored.append(_joined([_scored(entry, inputs, name) for name in devices]))
        timed = all(each.runtime in TIMED and not each.graph for each in scored)
        height, width = inputs.asked[0][0].batch.shape[2:]
        models = [each.model for each in scored]
        times = _milliseconds(models, (height, width)) if timed else [None] * len(scored)
    return [
        Measured(each.score, milliseconds, each.runtime, _notes(each))
        for each, milliseconds in zip(scored, times, strict=True)
    ]


def _scored(entry: Entry, inputs: Inputs, on: str) -> _Scored:
    artifact = replace(open_entry(entry), device=device(on))
    runner, graph = artifact.runner_or_graph()
    with runner:
        score = inputs.score(runner.run)
        if on != DEFAULT:
            score = Score(tuple((f"{name} on {on}", found) for name, found in score.decibels))
        return _Scored(artifact.model, score, runner.name, runner.notes, graph)


def _joined(found: Sequence[_Scored]) -> _Scored:
    """Return a model's scores on several devices as one, so that the worst of all counts."""
    first = found[0]
    decibels = tuple(entry for each in found for entry in each.score.decibels)
    notes = dict.fromkeys(note for each in found for note in each.notes)
    return replace(first, score=Score(decibels), notes=tuple(notes))


def _milliseconds(models: Sequence[Path], size: Size) -> list[float]:
    specs = [ModelSpec(model) for model in models]
    return median_milliseconds(time_interleaved(specs, size, rounds=ROUNDS))


def _notes(scored: _Scored) -> tuple[str, ...]:
    if not scored.graph:
        return scored.notes
    said = f"measured is the graph that it was compiled from, under {scored.runtime}"
    return (*scored.notes, f"{scored.graph}; {said}")
