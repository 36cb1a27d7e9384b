"""From a model on disk to a parity report, and the report into the manifest."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from toolkit.artifact import open_artifact, reference_of
from toolkit.console import progress
from toolkit.contract import Size
from toolkit.errors import UsageError
from toolkit.images import Floats
from toolkit.memory import check_fits
from toolkit.parity.compare import Report, compare
from toolkit.parity.judge import LIMITS
from toolkit.regimes import Photographs
from toolkit.runtimes import open_model
from toolkit.runtimes.base import Runner
from toolkit.runtimes.torch import TorchRunner
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
) -> Report:
    """Judge an artifact against ``net``, or the checkpoint that its manifest names.

    What was found is written into the manifest, unless ``net`` or ``precision`` stood in for the
    manifest's own.

    Raises:
        ArtifactError: the artifact or its reference is missing or has changed.
    """
    opened = open_artifact(folder)
    manifest = opened.manifest
    reference = net or reference_of(manifest)
    promised = precision or manifest.target.precision
    report = _judge(str(folder), opened.runner(), reference, promised, files, sizes)
    if net is None and precision is None:
        record = {"model_sha256": manifest.files[manifest.model], **report.to_dict()}
        dataclasses.replace(manifest, parity=record).write(folder)
    return report


def judge_model(
    model: Path, net: StyleNet, precision: str, files: Sequence[Path], sizes: Sequence[Size] = ()
) -> Report:
    """Judge a bare model file, which anyone may have made, against ``net``.

    Most people clamp after the model, not in it: its output is clamped to the net's range before
    it is compared, and the report says so where that changed anything.
    """
    low, high = net.contract.output_range
    runner = _Clamped(open_model(model), low, high)
    report = _judge(str(model), runner, net, precision, files, sizes)
    if not runner.changed:
        return report
    note = f"the model's output leaves {low:g}..{high:g}; it was clamped before it was compared"
    return dataclasses.replace(report, notes=(note,))


class _Clamped:
    """A runner whose output is clamped; ``changed`` once that made a difference."""

    def __init__(self, runner: Runner, low: float, high: float) -> None:
        self.name, self.takes = runner.name, runner.takes
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
    precision: str,
    files: Sequence[Path],
    sizes: Sequence[Size],
) -> Report:
    samples = Photographs(files, _sizes(name, runner, net, sizes), runner.takes.batch)
    limits = LIMITS[precision]
    rows = []
    with progress(f"parity of {name}", total=len(samples)) as update:
        for row in compare(runner, TorchRunner(net), samples, limits):
            rows.append(row)
            update(len(rows), row.name)
    return Report(name, runner.name, net.origin.source, limits, tuple(rows))


def _sizes(name: str, runner: Runner, net: StyleNet, wanted: Sequence[Size]) -> Sequence[Size]:
    """What to try: the model's own size, else the sizes wanted, else a few."""
    own = runner.takes.size
    if own and any(size != own for size in wanted):
        raise UsageError(f"{name} takes {own[0]}x{own[1]} only")
    chosen = [own] if own else list(wanted or DYNAMIC_SIZES)
    least = net.contract.smallest_side
    if min(map(min, chosen)) < least:
        raise UsageError(f"{name}: the reference takes no side under {least} pixels")
    for size in chosen:
        check_fits(*size)
    return chosen
