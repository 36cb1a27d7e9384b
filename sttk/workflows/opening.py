"""Runners of what a user chose: a style, several styles, a checkpoint or an artifact."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sttk.exporters import exportable
from sttk.exporters.artifact import temporary_artifact
from sttk.exporters.base import ExportRequest
from sttk.toolkit import styles
from sttk.toolkit.artifact.tuned import settings_here
from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import NotRunError, UsageError
from sttk.toolkit.core.shapes import Shapes, Size
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.opened.artifact import OpenArtifact, open_artifact, open_entry, reference_of
from sttk.toolkit.runtimes.base import Runner
from sttk.toolkit.runtimes.blend import BlendRunner, common_contract
from sttk.toolkit.runtimes.tiled import TiledRunner
from sttk.toolkit.runtimes.torch import TorchRunner
from sttk.workflows.choice import FASTEST, Choice, shares, target_of


@contextmanager
def opened(choice: Choice, size: Size | None = None) -> Iterator[tuple[Runner, Contract]]:
    """Yield a runner of what was chosen, by default the default style, and its net's contract.

    Args:
        choice: the net and the runtime.
        size: (height, width) of all pictures if they have the same: a model exported for them then
            has a fixed size, which is faster.

    Raises:
        UsageError: there is no such style or file, or the artifact has another runtime.
        MissingExtraError: the runtime is not installed.
    """
    if choice.artifact is not None:
        runner, contract = _opened(open_artifact(choice.artifact), choice.runtime)
        with runner:
            yield runner, contract
        return
    parts = _nets(choice)
    contract = _contract(choice, [net for net, _ in parts])
    shapes = Shapes.fixed(*contract.size_for(*size)) if size else Shapes.any()
    with ExitStack() as stack:
        runners = [(stack.enter_context(_runner(net, choice, shapes)), of) for net, of in parts]
        yield (runners[0][0] if len(runners) == 1 else BlendRunner(runners)), contract


def _nets(choice: Choice) -> list[tuple[StyleNet, float]]:
    if choice.checkpoint is not None:
        return [(load(choice.checkpoint), 1.0)]
    return [(styles.find(name), of) for name, of in shares(choice.style or styles.DEFAULT)]


def _contract(choice: Choice, nets: list[StyleNet]) -> Contract:
    try:
        return common_contract([net.contract for net in nets])
    except ValueError as error:
        raise UsageError(f"{choice.style}: {error}") from error


@contextmanager
def _runner(net: StyleNet, choice: Choice, shapes: Shapes) -> Iterator[Runner]:
    runtime = choice.runtime or "torch"
    if runtime == FASTEST:
        runtime = _fastest()
    if runtime == "torch":
        yield TiledRunner(net, choice.tile) if choice.tile else TorchRunner(net)
        return
    request: ExportRequest[Any] = ExportRequest(net, shapes=shapes)
    with (
        temporary_artifact(target_of(runtime), request) as entry,
        _opened(open_entry(entry), runtime)[0] as runner,
    ):
        yield runner


def _opened(artifact: OpenArtifact, runtime: str | None) -> tuple[Runner, Contract]:
    if runtime == "torch":
        return TorchRunner(reference_of(artifact.manifest)), artifact.manifest.contract
    runner = _tuned(artifact)
    if runtime not in (None, FASTEST, runner.name):
        runner.close()
        raise UsageError(f"{artifact.folder} runs under {runner.name}, not {runtime}")
    return runner, artifact.manifest.contract


def _fastest() -> str:
    """Return the fastest installed runtime, as ranked in artifacts/reports/bench."""
    ranked = [each for each in exportable() if each.cpu_rank is not None]
    for each in sorted(ranked, key=lambda each: each.cpu_rank or 0):
        if each.requires.ability(each.name, ()).runs:
            return each.runtime
    return "torch"


def _tuned(artifact: OpenArtifact) -> Runner:
    """Load the model with the settings that 'sttk tune' chose here, if they still work."""
    settings = settings_here(artifact.manifest)
    try:
        return artifact.runner(settings)
    except NotRunError:
        if settings is None:
            raise
        return artifact.runner()
