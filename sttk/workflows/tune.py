"""The settings of an artifact's runtime, chosen by measurement on this machine.

Each combination of what its runtime can choose (arithmetic, threads, layout) is timed against the
runtime's own choice, each in its own process and all in the same rounds, so that other work on the
machine affects all alike. The fastest whose pictures hold the artifact's promise is kept: coarser
arithmetic is judged by the parity gate.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sttk.benchmarks.rows import Timing
from sttk.benchmarks.specs import ModelSpec
from sttk.benchmarks.stopwatch import ROUNDS, time_interleaved, timings
from sttk.toolkit.artifact.manifest import model_sha256
from sttk.toolkit.artifact.tuned import Tuned, settings_dict, this_machine
from sttk.toolkit.core.errors import NotRunError, UsageError
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.opened.artifact import OpenArtifact, float_reference_of
from sttk.toolkit.parity.run import Judge, ParityConfig
from sttk.toolkit.runtimes.base import Adjustable, Choices, Runner, Settings
from sttk.workflows.record import record_bench

# A gain below this is noise: the runtime's own choice is kept.
_LEAST_GAIN = 1.03
_TIMING = 0.9  # of the work, for the bar: the rest is judging

OnProgress = Callable[[float, str], None]


@dataclass(frozen=True)
class Trial:
    """One combination, timed.

    Attributes:
        settings: the settings that were tried.
        milliseconds: the median time of one picture.
        slowest: the slowest picture's time, in medians: far above 1 where other work is running.
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
        """Return plain JSON values."""
        trials = [
            {**dataclasses.asdict(trial), "settings": settings_dict(trial.settings)}
            for trial in self.trials
        ]
        return {"runtime": self.runtime, "trials": trials, "chosen": self.chosen.to_dict()}


def tune(
    artifact: OpenArtifact, config: ParityConfig, size: Size, on_progress: OnProgress
) -> Tuning:
    """Choose the settings of one artifact, and record them in its manifest.

    Args:
        artifact: the artifact.
        config: what coarser arithmetic is judged by.
        size: (height, width) of the picture, for a model that takes any.
        on_progress: called with the share that is done, and what is being done.

    Raises:
        NotRunError: it cannot run here, or its runtime leaves nothing to choose.
        UsageError: it does not take such a picture.
    """
    with artifact.runner() as runner:
        name, batch = runner.name, runner.takes.batch or 1
        tried = _settings(artifact, runner)
    size = _size(artifact, size)
    models = [ModelSpec(artifact.model, settings) for settings in tried]
    timed = list(map(_trial, tried, _times(models, size, batch, on_progress)))
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


def _settings(artifact: OpenArtifact, own: Runner) -> list[Settings]:
    """Return the combinations that can run here, the runtime's own choice first.

    Raises:
        NotRunError: there is nothing to choose.
    """
    found = [Settings()]
    for settings in _combinations(own.choices if isinstance(own, Adjustable) else Choices()):
        try:
            artifact.runner(settings).close()
        except NotRunError:  # no such arithmetic on this machine
            continue
        found.append(settings)
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


def _trial(settings: Settings, timing: Timing) -> Trial:
    median = timing.summary.p50
    slowest = max(map(max, timing.settled))
    return Trial(settings, 1e3 * median, slowest / median)


def _times(
    models: Sequence[ModelSpec], size: Size, batch: int, on_progress: OnProgress
) -> list[Timing]:
    """Time models in the same rounds. Raises NotRunError if one of them fails."""
    results = time_interleaved(
        models,
        size,
        batch=batch,
        rounds=ROUNDS,
        on_progress=lambda share, text: on_progress(_TIMING * share, text),
    )
    return timings(results)


def _judged(
    artifact: OpenArtifact,
    config: ParityConfig,
    timed: Sequence[Trial],
    on_progress: OnProgress,
) -> list[Trial]:
    """Judge those that beat the runtime's own choice, the fastest first, until one passes."""
    default, *others = timed
    judged: dict[Settings, str] = {default.settings: "default"}
    for trial in sorted(others, key=_milliseconds):
        if default.milliseconds < _LEAST_GAIN * trial.milliseconds:
            break
        on_progress(_TIMING, "judging the fastest")
        settings = dataclasses.replace(config, settings=trial.settings)
        net = float_reference_of(artifact.manifest)
        passed = Judge(settings).artifact(artifact, net).passed
        judged[trial.settings] = "pass" if passed else "fail"
        if passed:
            break
    return [dataclasses.replace(each, verdict=judged.get(each.settings, "")) for each in timed]
