"""An artifact opened: its manifest checked, its model loaded, its reference at hand."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

from sttk.toolkit.artifact.manifest import Checkpoint, Manifest
from sttk.toolkit.artifact.search import Entry, outermost, search
from sttk.toolkit.core.errors import (
    ArtifactError,
    CheckpointError,
    MissingExtraError,
    NotRunError,
    UsageError,
)
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.quantize.calibrate import Calibration
from sttk.toolkit.quantize.fake import fake_quantized
from sttk.toolkit.rewrites.rules import rewritten
from sttk.toolkit.runtimes.base import Runner, Settings
from sttk.toolkit.styles import find
from sttk.toolkit.targets import open_model

_WIDE = Settings("f32")


@dataclass(frozen=True)
class OpenArtifact:
    """An artifact whose files are those of its manifest."""

    folder: Path
    manifest: Manifest

    @property
    def model(self) -> Path:
        """Its model: a file, or a package."""
        return self.folder / self.manifest.model

    def runner(self, settings: Settings | None = None) -> Runner:
        """Its model, loaded. Raises NotRunError, UsageError or ArtifactError."""
        return self._within(open_model(self.model, settings))

    def graph_runner(self) -> Runner | None:
        """The graph that its model was compiled from, loaded, if it keeps one."""
        graph = self.manifest.graph
        return self._within(open_model(self.folder / graph)) if graph else None

    def runner_or_graph(self, settings: Settings | None = None) -> tuple[Runner, str]:
        """Its runner and ""; or, where that cannot run here, its graph's runner and why.

        Raises:
            NotRunError: it keeps no graph, or lacks a library that can be installed.
            UsageError, ArtifactError: as :meth:`runner`.
        """
        try:
            return self.runner(settings), ""
        except NotRunError as error:
            graph = None if isinstance(error, MissingExtraError) else self.graph_runner()
            if graph is None:
                raise
            return graph, str(error)

    def wide_runner(self) -> Runner | None:
        """Its saved weights in float32 arithmetic: its model, or the graph that it was compiled
        from. None where its runtime has no choice.

        Raises:
            NotRunError: what runs it is not here.
            ArtifactError: it cannot be loaded so.
        """
        graph = self.manifest.graph
        try:
            return self._within(open_model(self.folder / (graph or self.manifest.model), _WIDE))
        except ArtifactError:
            raise
        except UsageError:
            return None

    def _within(self, runner: Runner) -> Runner:
        """What takes any size is held to the range that the manifest promises: no file of ONNX or
        OpenVINO can say it.
        """
        shapes = self.manifest.target.shapes
        if shapes.kind == "range" and runner.takes.kind == "any":
            runner.takes = shapes
        return runner


def open_artifact(folder: Path) -> OpenArtifact:
    """Open the artifact at ``folder``, or the only one below it; not one within another one.

    Raises:
        ArtifactError: none, several, or one whose files do not match its manifest.
    """
    found = outermost(search(folder))
    if len(found) != 1:
        names = ", ".join(str(entry.folder.relative_to(folder)) for entry in found)
        listed = f": {names}" if found else ""
        raise ArtifactError(
            f"{folder}: holds {len(found)} artifacts{listed}", fix="name the folder of one"
        )
    return open_entry(found[0])


def open_entry(entry: Entry) -> OpenArtifact:
    """Open an artifact that a search has found; its files are hashed here, and only here.

    Raises:
        ArtifactError: its manifest is none, or its files do not match it.
    """
    return OpenArtifact(entry.folder, entry.verified())


class ReferenceNets:
    """The nets of artifacts' checkpoints; each is read once for all artifacts of it."""

    def __init__(self) -> None:
        self._nets: dict[Checkpoint, StyleNet] = {}

    def of(self, manifest: Manifest) -> StyleNet:
        """Return the net that a manifest names; see :func:`float_reference_of`."""
        checkpoint = manifest.checkpoint
        if checkpoint not in self._nets:
            self._nets[checkpoint] = float_reference_of(manifest)
        return self._nets[checkpoint]


def float_reference_of(manifest: Manifest) -> StyleNet:
    """The checkpoint that the artifact was exported from, bytes checked.

    Raises:
        ArtifactError: it is gone, or is not the one that was exported.
    """
    wanted = manifest.checkpoint
    try:
        net = find(wanted.source)
    except CheckpointError as error:
        raise ArtifactError(f"the reference is gone: {error}", fix="pass --reference") from error
    if net.origin.sha256 != wanted.sha256:
        raise ArtifactError(f"{wanted.source} has changed since the export", fix="export it again")
    return net


def reference_of(manifest: Manifest) -> StyleNet:
    """What the artifact must equal: its checkpoint; of an int8 or fp8 artifact, the same net with
    the same fake quantisers.

    Raises:
        ArtifactError: it is gone, or is not the one that was exported.
    """
    net = float_reference_of(manifest)
    return quantized(net, manifest) if manifest.quantization else net


def with_half_weights(net: StyleNet, plan: Plan) -> StyleNet:
    """``net`` with its weights as a float16 model of this plan stores them, float32 again.

    Not :func:`cast_net`, whose casts hold it to float32: this one can be
    widened to float64.
    """
    rounded = copy.deepcopy(net)
    for name, module in rounded.named_modules():
        if plan.of(name) != "fp16":
            continue
        for values in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            if values.is_floating_point():
                values.data = values.data.half().float()
    return rounded


def quantized(net: StyleNet, manifest: Manifest) -> StyleNet:
    """``net`` with the fake quantisers that a manifest records, over the weights of the form that
    was exported.

    Raises:
        ArtifactError: they are not this net's.
    """
    net, _ = rewritten(net, manifest.rewrites, manifest.target.precision)
    try:
        return fake_quantized(net, Calibration.from_dict(manifest.quantization or {}))
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"the manifest's quantization is not one of this net's: {error}", fix="export it again"
        ) from error
