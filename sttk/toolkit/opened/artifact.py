"""An opened artifact: its verified manifest, its runners and its reference."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
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
from sttk.toolkit.core.guessing import say
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.devices import DEFAULT, device
from sttk.toolkit.devices.base import Device
from sttk.toolkit.quantize.calibrate import Calibration
from sttk.toolkit.quantize.fake import fake_quantized
from sttk.toolkit.rewrites.rules import rewritten
from sttk.toolkit.runtimes.base import Runner, Settings
from sttk.toolkit.styles import find
from sttk.toolkit.targets import required

_FLOAT32 = Settings("f32")


@dataclass(frozen=True)
class OpenArtifact:
    """An artifact whose files match its manifest.

    Attributes:
        folder: the artifact's folder.
        manifest: its manifest.
        device: the device on which its models are opened.
    """

    folder: Path
    manifest: Manifest
    device: Device = field(default_factory=lambda: device(DEFAULT))

    @property
    def model(self) -> Path:
        """The path of the model: a file or a package."""
        return self.folder / self.manifest.model

    def runner(self, settings: Settings | None = None) -> Runner:
        """Load the model. Raises NotRunError, UsageError or ArtifactError."""
        return self._in_range(self.device.open_model(self.model, settings))

    def graph_runner(self) -> Runner | None:
        """Load the graph that the model was compiled from.

        Return None if the artifact keeps none, or the device does not run such graphs.
        """
        graph = self.manifest.graph
        if not graph or not self.device.runs(required(self.folder / graph)):
            return None
        return self._in_range(self.device.open_model(self.folder / graph))

    def runner_or_graph(self, settings: Settings | None = None) -> tuple[Runner, str]:
        """Return the model's runner and "", or, if it cannot run here, the graph's and the reason.

        Raises:
            NotRunError: the artifact keeps no graph, or lacks a library that can be installed.
            UsageError, ArtifactError: see :meth:`runner`.
        """
        try:
            return self.runner(settings), ""
        except NotRunError as error:
            graph = None if isinstance(error, MissingExtraError) else self.graph_runner()
            if graph is None:
                raise
            return graph, str(error)

    def float32_runner(self) -> Runner | None:
        """Load the model, or the graph that it was compiled from, with float32 arithmetic.

        Return None if its runtime does not let the arithmetic be chosen.

        Raises:
            NotRunError: the runtime is not available here.
            ArtifactError: the model cannot be loaded with float32 arithmetic.
        """
        name = self.manifest.graph or self.manifest.model
        try:
            return self._in_range(self.device.open_model(self.folder / name, _FLOAT32))
        except ArtifactError:
            raise
        except UsageError:
            return None

    def _in_range(self, runner: Runner) -> Runner:
        """Restrict a runner that takes any size to the range that the manifest promises.

        ONNX and OpenVINO files cannot express such a range.
        """
        shapes = self.manifest.target.shapes
        if shapes.kind == "range" and runner.takes.kind == "any":
            runner.takes = shapes
        return runner


def open_artifact(folder: Path) -> OpenArtifact:
    """Open the artifact at ``folder``, or the only one below it.

    Artifacts within another artifact do not count.

    Raises:
        ArtifactError: there is none, there are several, or the files do not match the manifest.
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
        ArtifactError: the manifest is not valid, or the files do not match it.
    """
    manifest = entry.verified()
    say(manifest.style, manifest.guesses)
    return OpenArtifact(entry.folder, manifest)


class ReferenceNets:
    """A cache of the nets of artifacts' checkpoints; each is read once for all its artifacts."""

    def __init__(self) -> None:
        self._nets: dict[Checkpoint, StyleNet] = {}

    def of(self, manifest: Manifest) -> StyleNet:
        """Return the net that a manifest names; see :func:`float_reference_of`."""
        checkpoint = manifest.checkpoint
        if checkpoint not in self._nets:
            self._nets[checkpoint] = float_reference_of(manifest)
        return self._nets[checkpoint]


def float_reference_of(manifest: Manifest) -> StyleNet:
    """Load the checkpoint that the artifact was exported from, after checking its sha256.

    Raises:
        ArtifactError: it is gone, or is not the one that was exported.
    """
    checkpoint = manifest.checkpoint
    try:
        net = find(checkpoint.source)
    except CheckpointError as error:
        raise ArtifactError(f"the reference is gone: {error}", fix="pass --reference") from error
    if net.origin.sha256 != checkpoint.sha256:
        raise ArtifactError(
            f"{checkpoint.source} has changed since the export", fix="export it again"
        )
    return net


def reference_of(manifest: Manifest) -> StyleNet:
    """Return the net that the artifact must equal.

    It is the checkpoint's; for an int8 or fp8 artifact, with the same fake quantisers.

    Raises:
        ArtifactError: it is gone, or is not the one that was exported.
    """
    net = float_reference_of(manifest)
    return quantized(net, manifest) if manifest.quantization else net


def with_half_weights(net: StyleNet, plan: Plan) -> StyleNet:
    """Return ``net`` with its weights rounded as a float16 model of this plan stores them.

    The weights are float32 again. Unlike the net of :func:`cast_net`, whose casts fix it to
    float32, this one can be converted to float64.
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
    """Return ``net``, rewritten as it was exported, with the fake quantisers of a manifest.

    Raises:
        ArtifactError: the quantisers are not this net's.
    """
    net, _ = rewritten(net, manifest.rewrites, manifest.target.precision)
    try:
        return fake_quantized(net, Calibration.from_dict(manifest.quantization or {}))
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"the manifest's quantization is not one of this net's: {error}", fix="export it again"
        ) from error
