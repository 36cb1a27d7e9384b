"""The bisection of a model that was judged, on the worst input of its report."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.opened.artifact import OpenArtifact, quantized
from sttk.toolkit.parity.bisect.bisection import Bisection, bisect
from sttk.toolkit.parity.compare import Report
from sttk.toolkit.parity.run import ParityConfig, inputs_of
from sttk.toolkit.runtimes.base import Runner
from sttk.toolkit.targets import open_model, target

_FROM_GRAPH = "the inner tensors of {} cannot be read: this is the graph that it was compiled from"


def bisect_artifact(
    opened: OpenArtifact, net: StyleNet, config: ParityConfig, report: Report, to: Path | None
) -> Bisection:
    """Bisect an artifact, or its graph where the compiled model hides its inner tensors.

    Args:
        opened: the artifact.
        net: the net of its checkpoint, as it was loaded.
        config: the configuration by which it was judged.
        report: the verdict.
        to: the folder in which to make one that reproduces the fault, or None.

    Raises:
        UsageError: the model cannot be bisected, or not with these settings.
        SttkError: what :func:`bisect` raises.
    """
    exported, model = opened.manifest.target, _readable(opened)
    net = config.net or (quantized(net, opened.manifest) if opened.manifest.quantization else net)
    precision = target(exported.name).arithmetic(exported.precision)
    own = opened.runner() if model == opened.model else opened.graph_runner()
    with own or open_model(model) as runner:
        batch = _worst_input(report, runner, net, config)
    bisection = bisect(model, net, batch, precision, _folder_for(to, opened.folder))
    if model == opened.model:
        return bisection
    notes = (_FROM_GRAPH.format(opened.model), *bisection.notes)
    return dataclasses.replace(bisection, notes=notes)


def bisect_model(
    model: Path, precision: str, config: ParityConfig, report: Report, to: Path | None
) -> Bisection:
    """Bisect a bare model against ``config.net``; see :func:`bisect_artifact`."""
    if config.net is None:
        raise UsageError(f"{model} has no manifest", fix="pass --reference CHECKPOINT")
    with open_model(model) as runner:
        batch = _worst_input(report, runner, config.net, config)
    return bisect(model, config.net, batch, precision, _folder_for(to, model))


def _readable(opened: OpenArtifact) -> Path:
    graph = opened.manifest.graph
    closed = not target(opened.manifest.target.name).has_intermediates
    return opened.folder / graph if closed and graph else opened.model


def _worst_input(report: Report, runner: Runner, net: StyleNet, config: ParityConfig) -> Floats:
    """Make the input of the report's worst row again."""
    if config.settings and config.settings.inference_precision not in (None, "f32"):
        raise UsageError("a bisection runs in f32", fix="leave out --inference-precision")
    worst = report.worst.name
    inputs = inputs_of(report.candidate, runner, net, config)
    return next(sample.batch for sample in inputs if sample.name == worst)


def _folder_for(to: Path | None, model: Path) -> Path | None:
    """Return one model's folder: ``STYLE-TARGET-PRECISION-SIZE``, or the name of its file."""
    if to is None:
        return None
    model = model.resolve()
    return to / (model.stem if model.suffix else f"{model.parent.name}-{model.name}")
