"""The settings of an artifact's runtime, chosen by measurement on this machine.

Each combination of what its runtime can choose (arithmetic, threads, layout) is timed against the
runtime's own choice, in rounds, so that what else the machine does hits all alike. The fastest
whose pictures hold the artifact's promise is kept: coarser arithmetic is judged by the parity gate.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from sttk.toolkit.artifact.manifest import model_sha256
from sttk.toolkit.artifact.tuned import Tuned, settings_dict, this_machine
from sttk.toolkit.core.errors import NotRunError, UsageError
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.opened.artifact import OpenArtifact, float_reference_of
from sttk.toolkit.parity.run import Judge, ParityConfig
from sttk.toolkit.runtimes.base import Adjustable, Choices, Runner, Settings
from sttk.workflows.plan_search.measure import ROUNDS, in_turns
from sttk.workflows.record import record_bench

# A gain below this is noise: the runtime's own choice is kept.
_LEAST_GAIN = 1.03
_PARTS = ROUNDS + 2  # of the work, for the bar: rounds, their warm-up, and judging

Told = Callable[[float, str], None]


@dataclass(frozen=True)
class Trial:
    """One combination, timed.

    Attributes:
        settings: that were tried.
        milliseconds: median of one picture.
        slowest: the slowest picture's, in medians: far above 1 where something else is running.
        verdict: ``default``, ``pass``, ``fail``, or "" where nobody asked: it is slower.
    """

    settings: Settings
    milliseconds: float
    slowest: float
    verdict: str = ""


@dataclass(frozen=True)
class Tuning:
    """All trials, the runtime's own choice first; and what was chosen."""

    runtime: str
    trials: tuple[Trial, ...]
    chosen: Tuned

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        trials = [
            {**dataclasses.asdict(trial), "settings": settings_dict(trial.settings)}
            for trial in self.trials
        ]
        return {"runtime": self.runtime, "trials": trials, "chosen": self.chosen.to_dict()}


def tune(artifact: OpenArtifact, config: ParityConfig, size: Size, on_progress: Told) -> Tuning:
    """Choose the settings of one artifact, and record them in its manifest.

    Args:
        artifact: what is tuned.
        config: what coarser arithmetic is judged by.
        size: (height, width) of the picture, for a model that takes any.
        on_progress: is on_progress how much is done, and what is being done.

    Raises:
        NotRunError: it cannot run here, or its runtime leaves nothing to choose.
        UsageError: it does not take such a picture.
    """
    with ExitStack() as stack:
        runners = _runners(artifact, stack)
        name = runners[0][1].name
        size = _size(artifact, size)
        times = _times([runner for _, runner in runners], size, on_progress)
    timed = [_trial(each, taken) for (each, _), taken in zip(runners, times, strict=True)]
    trials = _judged(artifact, config, timed, on_progress)
    held = [each for each in trials if each.verdict in ("default", "pass")]
    best = min(held, key=_milliseconds)
    chosen = Tuned(
        settings=best.settings,
        machine=this_machine(),
        model_sha256=model_sha256(artifact.manifest),
        size=size,
        milliseconds=round(best.milliseconds, 2),
        default_milliseconds=round(trials[0].milliseconds, 2),
        verdict=best.verdict,
    )
    record_bench(artifact, chosen.to_dict())
    return Tuning(name, tuple(trials), chosen)


def _milliseconds(trial: Trial) -> float:
    return trial.milliseconds


def _runners(artifact: OpenArtifact, stack: ExitStack) -> list[tuple[Settings, Runner]]:
    """Of each combination that can run here, the runtime's own choice first."""
    own = stack.enter_context(artifact.runner())
    found: list[tuple[Settings, Runner]] = [(Settings(), own)]
    choices = own.choices if isinstance(own, Adjustable) else Choices()
    for settings in _combinations(choices):
        try:
            found.append((settings, stack.enter_context(artifact.runner(settings))))
        except NotRunError:  # no such arithmetic on this machine
            continue
    if len(found) == 1:
        raise NotRunError(f"{own.name} leaves nothing to choose here")
    return found


def _combinations(choices: Choices) -> Iterator[Settings]:
    arithmetic, layouts = (None, *choices.arithmetic), (None, *choices.layouts)
    threads = (None, *_threads()) if choices.threads else (None,)
    for precision, count, layout in itertools.product(arithmetic, threads, layouts):
        settings = Settings(inference_precision=precision, threads=count, layout=layout)
        if settings != Settings():
            yield settings


def _threads() -> list[int]:
    """1, 2, 4, ... and all that there are."""
    most = os.cpu_count() or 1
    return sorted({*(1 << power for power in range(most.bit_length())), most})


def _size(artifact: OpenArtifact, size: Size) -> Size:
    shapes = artifact.manifest.target.shapes
    size = shapes.only or artifact.manifest.contract.size_for(*size)
    if not shapes.takes(size):
        raise UsageError(f"{artifact.folder} takes {shapes}, not {size[0]}x{size[1]}")
    return size


def _trial(settings: Settings, taken: Sequence[float]) -> Trial:
    median = statistics.median(taken)
    return Trial(settings, median, max(taken) / median)


def _times(runners: Sequence[Runner], size: Size, on_progress: Told) -> list[list[float]]:
    shape = (runners[0].takes.batch or 1, 3, *size)
    picture = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    return in_turns(runners, picture, lambda turn: on_progress(turn / _PARTS, f"round {turn}"))


def _judged(
    artifact: OpenArtifact, config: ParityConfig, timed: Sequence[Trial], on_progress: Told
) -> list[Trial]:
    """Those that beat the runtime's own choice, the fastest first, until one passes."""
    default, *others = timed
    judged: dict[Settings, str] = {default.settings: "default"}
    for trial in sorted(others, key=_milliseconds):
        if default.milliseconds < _LEAST_GAIN * trial.milliseconds:
            break
        on_progress(1 - 1 / _PARTS, "judging the fastest")
        settings = dataclasses.replace(config, settings=trial.settings)
        net = float_reference_of(artifact.manifest)
        passed = Judge(settings).artifact(artifact, net).passed
        judged[trial.settings] = "pass" if passed else "fail"
        if passed:
            break
    return [dataclasses.replace(each, verdict=judged.get(each.settings, "")) for each in timed]
