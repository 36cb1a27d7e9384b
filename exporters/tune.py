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
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.artifact import OpenArtifact, open_artifact
from toolkit.errors import NotRunError, UsageError
from toolkit.manifest import model_sha256
from toolkit.parity.run import Ask, Judge
from toolkit.runtimes.base import Runner, Settings
from toolkit.shapes import Size
from toolkit.tuned import Tuned, this_machine

# What each runtime lets one choose beside the number of threads.
_ARITHMETIC = {"openvino": ("bf16", "f16"), "ncnn": ("bf16",)}
_LAYOUTS = {"onnxruntime": ("plain",)}
_THREADED = frozenset({"onnxruntime", "openvino", "ncnn", "litert"})
_ROUNDS = 15
# Threads of one runtime wait for more work for a while, and would slow the next.
_PAUSE = 0.02  # seconds
# A gain below this is noise: the runtime's own choice is kept.
_LEAST_GAIN = 1.03

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
        return {**dataclasses.asdict(self), "chosen": self.chosen.to_dict()}


def tune(folder: Path, ask: Ask, size: Size, told: Told) -> Tuning:
    """Choose the settings of one artifact, and record them in its manifest.

    Args:
        folder: the artifact.
        ask: what coarser arithmetic is judged by.
        size: (height, width) of the picture, for a model that takes any.
        told: is told how much is done, and what is being done.

    Raises:
        NotRunError: it cannot run here, or its runtime leaves nothing to choose.
        UsageError: it does not take such a picture.
    """
    artifact = open_artifact(folder)
    runners = _runners(artifact)
    name = runners[0][1].name
    size = _size(artifact, size)
    times = _times([runner for _, runner in runners], size, told)
    timed = [_trial(each, taken) for (each, _), taken in zip(runners, times, strict=True)]
    trials = _judged(folder, ask, timed, told)
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
    # Judging may have written a proof since the manifest was read.
    now = open_artifact(folder).manifest
    dataclasses.replace(now, bench=chosen.to_dict()).write(folder)
    return Tuning(name, tuple(trials), chosen)


def _milliseconds(trial: Trial) -> float:
    return trial.milliseconds


def _runners(artifact: OpenArtifact) -> list[tuple[Settings, Runner]]:
    """Of each combination that can run here, the runtime's own choice first."""
    own = artifact.runner()
    found: list[tuple[Settings, Runner]] = [(Settings(), own)]
    for settings in _combinations(own.name):
        try:
            found.append((settings, artifact.runner(settings)))
        except NotRunError:  # no such arithmetic on this machine
            continue
    if len(found) == 1:
        raise NotRunError(f"{own.name} leaves nothing to choose here")
    return found


def _combinations(runtime: str) -> Iterator[Settings]:
    arithmetic = (None, *_ARITHMETIC.get(runtime, ()))
    layouts = (None, *_LAYOUTS.get(runtime, ()))
    threads = (None, *_threads()) if runtime in _THREADED else (None,)
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


def _times(runners: Sequence[Runner], size: Size, told: Told) -> list[list[float]]:
    """In ms, of each runner; a round is one picture of each."""
    shape = (runners[0].takes.batch or 1, 3, *size)
    picture = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    taken: list[list[float]] = [[] for _ in runners]
    for turn in range(1 + _ROUNDS):
        told(turn / (2 + _ROUNDS), f"round {turn} of {_ROUNDS}" if turn else "warming up")
        for runner, times in zip(runners, taken, strict=True):
            time.sleep(_PAUSE)
            started = time.perf_counter()
            runner.run(picture)
            times.append(1e3 * (time.perf_counter() - started))
    return [times[1:] for times in taken]


def _judged(folder: Path, ask: Ask, timed: Sequence[Trial], told: Told) -> list[Trial]:
    """Those that beat the runtime's own choice, the fastest first, until one passes."""
    default, *others = timed
    judged: dict[Settings, str] = {default.settings: "default"}
    for trial in sorted(others, key=_milliseconds):
        if default.milliseconds < _LEAST_GAIN * trial.milliseconds:
            break
        told((1 + _ROUNDS) / (2 + _ROUNDS), "judging the fastest")
        settings = dataclasses.replace(ask, settings=trial.settings)
        passed = Judge(settings).artifact(folder).passed
        judged[trial.settings] = "pass" if passed else "fail"
        if passed:
            break
    return [dataclasses.replace(each, verdict=judged.get(each.settings, "")) for each in timed]
