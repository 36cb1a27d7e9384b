"""From a model on disk to a parity report, and the report into the manifest."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from toolkit.artifact import OpenArtifact, open_artifact, reference_of
from toolkit.console import progress
from toolkit.errors import MissingExtraError, NotRunError, UsageError
from toolkit.images import Floats
from toolkit.manifest import model_sha256
from toolkit.memory import check_fits
from toolkit.parity.compare import Report, compare
from toolkit.parity.judge import LIMITS, Limits, limits_of
from toolkit.regimes import Photographs
from toolkit.runtimes import open_model, static_checks
from toolkit.runtimes.base import Runner, Settings
from toolkit.runtimes.torch import TorchRunner
from toolkit.shapes import Size
from toolkit.style_net import StyleNet

# For a model of any size: a square one, a wide one, and an odd one that needs the net's own
# rounding up to its multiple.
DYNAMIC_SIZES: tuple[Size, ...] = ((256, 256), (180, 300), (131, 203))


def judge_artifact(
    folder: Path,
    net: StyleNet | None,
    precision: str | None,
    files: Sequence[Path],
    sizes: Sequence[Size] = (),
    settings: Settings | None = None,
) -> Report:
    """Judge an artifact against ``net``, or the checkpoint that its manifest names.

    Where its runtime cannot run here (an engine without a GPU), the report says so, and judges the
    graph that the model was compiled from, if the artifact keeps it.

    What was found is written into the manifest, unless ``net``, ``precision`` or ``sizes`` stood in
    for the manifest's own.

    Raises:
        ArtifactError: the artifact or its reference is missing or has changed.
    """
    opened = open_artifact(folder)
    manifest = opened.manifest
    reference = net or reference_of(manifest)
    limits = LIMITS[precision] if precision else limits_of(manifest.target)
    runner, not_run = _runner(opened, settings)
    promise = manifest.target.shapes
    report = _judge(str(folder), runner, reference, limits, files, sizes or promise.promised)
    checks = static_checks(opened.model)
    report = dataclasses.replace(
        report, target=manifest.target.name, not_run=not_run, checks=checks
    )
    if net is None and precision is None and settings is None and not sizes:
        record = {"model_sha256": model_sha256(manifest), **report.to_dict()}
        dataclasses.replace(manifest, parity=record).write(folder)
    return report


def _runner(opened: OpenArtifact, settings: Settings | None) -> tuple[Runner, str]:
    """The artifact's runner and "", or its graph's runner and why the first cannot run here."""
    try:
        return opened.runner(settings), ""
    except NotRunError as error:
        graph = None if isinstance(error, MissingExtraError) else opened.graph_runner()
        if graph is None:
            raise
        return graph, str(error)


def judge_model(
    model: Path,
    net: StyleNet,
    precision: str,
    files: Sequence[Path],
    sizes: Sequence[Size] = (),
    settings: Settings | None = None,
) -> Report:
    """Judge a bare model file, which anyone may have made, against ``net``.

    Most people clamp after the model, not in it: its output is clamped to the net's range before
    it is compared, and the report says so where that changed anything.
    """
    low, high = net.contract.output_range
    runner = _Clamped(open_model(model, settings), low, high)
    report = _judge(str(model), runner, net, LIMITS[precision], files, sizes)
    checks = static_checks(model)
    if not runner.changed:
        return dataclasses.replace(report, checks=checks)
    note = f"the model's output leaves {low:g}..{high:g}; it was clamped before it was compared"
    return dataclasses.replace(report, notes=(*report.notes, note), checks=checks)


class _Clamped:
    """A runner whose output is clamped; ``changed`` once that made a difference."""

    def __init__(self, runner: Runner, low: float, high: float) -> None:
        self.name, self.takes, self.notes = runner.name, runner.takes, runner.notes
        self.changed = False
        self._runner, self._range = runner, (low, high)

    def run(self, batch: Floats) -> Floats:
        """See :class:`toolkit.runtimes.base.Runner`."""
        output = self._runner.run(batch)
        clamped = np.clip(output, *self._range)
        self.changed = self.changed or not np.array_equal(output, clamped)
        return clamped


def _judge(
    name: str,
    runner: Runner,
    net: StyleNet,
    limits: Limits,
    files: Sequence[Path],
    sizes: Sequence[Size],
) -> Report:
    samples = Photographs(files, _sizes(name, runner, net, sizes), runner.takes.batch)
    rows = []
    with progress(f"parity of {name}", total=len(samples)) as update:
        for row in compare(runner, TorchRunner(net), samples, limits):
            rows.append(row)
            update(len(rows), row.name)
    return Report(name, runner.name, net.origin.source, limits, tuple(rows), runner.notes)


def _sizes(name: str, runner: Runner, net: StyleNet, wanted: Sequence[Size]) -> Sequence[Size]:
    """What to try: the model's own size, else the sizes wanted, else a few."""
    takes = runner.takes
    if not all(takes.takes(size) for size in wanted):
        raise UsageError(f"{name} takes {takes} only")
    chosen = list(wanted or takes.promised or DYNAMIC_SIZES)
    least = net.contract.smallest_side
    if min(map(min, chosen)) < least:
        raise UsageError(f"{name}: the reference takes no side under {least} pixels")
    for size in chosen:
        check_fits(*size)
    return chosen
