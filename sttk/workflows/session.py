"""A session judges models one after the other, and goes on if one cannot be judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from sttk.toolkit import targets
from sttk.toolkit.artifact.search import Entry
from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.errors import ArtifactError, NotRunError, SttkError, UsageError
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.devices import DEFAULT, device
from sttk.toolkit.devices.base import Device
from sttk.toolkit.io.choices import NONE, Choices
from sttk.toolkit.io.text import file_name
from sttk.toolkit.opened.artifact import OpenArtifact, ReferenceNets, open_entry
from sttk.toolkit.parity.bisect.bisection import Bisection
from sttk.toolkit.parity.bisect.worst_input import bisect_artifact, bisect_model
from sttk.toolkit.parity.compare import Report
from sttk.toolkit.parity.observer import Observer
from sttk.toolkit.parity.outcome import Judged, Outcome, Unjudged
from sttk.toolkit.parity.pictures import Gallery, HeatMaps
from sttk.toolkit.parity.run import Judge, ParityConfig
from sttk.workflows.record import record_parity


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A bare model file or an artifact.

    Attributes:
        model: the file or the artifact.
        name: its name in reports.
        choices: what the user says of a bare file.
    """

    model: Path | Entry
    name: str
    choices: Choices = NONE

    @property
    def target(self) -> str:
        """The name of its target, such as ``onnx``; "" where it is unknown."""
        if isinstance(self.model, Entry):
            content = self.model.content
            return "" if isinstance(content, ArtifactError) else content.target.name
        target = targets.of_model(self.model)
        return target.name if target else ""

    @property
    def precision(self) -> str:
        """The precision that its manifest names; "" for a bare model."""
        if isinstance(self.model, Path) or isinstance(self.model.content, ArtifactError):
            return ""
        return self.model.content.target.precision


@dataclasses.dataclass(frozen=True)
class ReportOptions:
    """What is reported on each model besides its verdict.

    Attributes:
        precision: the precision of bare model files, as the user states it, or None.
        bisect: whether to find the block at which the model goes wrong.
        reproductions: a folder for a reproduction of that fault, or None.
        pictures: whether to keep small pictures of every input.
        heatmaps: a folder for a heat map of each input that fails, or None.
    """

    precision: Precision | None = None
    bisect: bool = False
    reproductions: Path | None = None
    pictures: bool = False
    heatmaps: Path | None = None


class Session:
    """A run over several models with one :class:`ParityConfig`; artifacts record their verdicts.

    Args:
        config: what is judged, and how.
        options: what is reported.
        chosen: the devices on which each model is judged, if they run its target.
        needed: the names of the devices that must be here; others may be missing.
    """

    def __init__(
        self,
        config: ParityConfig,
        options: ReportOptions,
        chosen: Sequence[Device] = (),
        needed: Collection[str] = (),
    ) -> None:
        self._config, self._options = config, options
        self._devices, self._needed = chosen or (device(DEFAULT),), {DEFAULT, *needed}
        self._judge, self._nets = Judge(config), ReferenceNets()

    def outcomes(self, candidate: Candidate) -> Iterator[Outcome]:
        """Yield the model's outcome on each device that runs it."""
        for each in self._devices:
            if self._judges(each, candidate):
                yield from self._outcomes_on(each, candidate)

    def _judges(self, device: Device, candidate: Candidate) -> bool:
        if candidate.target not in targets.NAMES:
            return True  # the outcome says what is wrong with it
        target, precision = targets.target(candidate.target), candidate.precision
        return device.judges(target, precision) if precision else device.runs(target)

    def _outcomes_on(self, device: Device, candidate: Candidate) -> Iterator[Outcome]:
        """Yield the model's outcome, and another one if a requested bisection failed."""
        try:
            opened = self._opened(candidate, device)
            judged = self._judged(candidate, opened, device)
        except SttkError as error:
            needed = device.name in self._needed or not isinstance(error, NotRunError)
            yield Unjudged(candidate.name, error, candidate.target, needed, device.name)
            return
        if not self._options.bisect:
            yield judged
            return
        try:
            if candidate.choices != NONE:
                raise UsageError(
                    f"{candidate.name}: a bisection runs a model as it is",
                    fix="convert the model, or leave out --bisect",
                )
            found = self._bisected(opened, device, judged.report)
            yield dataclasses.replace(judged, bisection=found)
        except SttkError as error:
            yield judged
            yield Unjudged(f"{candidate.name}, bisected", error, device=device.name)

    def _opened(self, candidate: Candidate, device: Device) -> Path | OpenArtifact:
        if isinstance(candidate.model, Path):
            return candidate.model
        if self._options.precision:
            folder = candidate.model.folder
            raise UsageError(f"{folder}: its manifest says its precision", fix="pass --promise")
        return dataclasses.replace(open_entry(candidate.model), device=device)

    def _judged(self, candidate: Candidate, opened: Path | OpenArtifact, device: Device) -> Judged:
        gallery = Gallery()
        observers: list[Observer] = [gallery] if self._options.pictures else []
        if self._options.heatmaps:
            observers.append(HeatMaps(self._options.heatmaps / file_name(candidate.name)))
        if isinstance(opened, Path):
            precision = self._options.precision or "fp32"
            said = candidate.choices
            report = self._judge.model(opened, precision, *observers, device=device, choices=said)
        else:
            report = self._judge.artifact(opened, self._net(opened), *observers)
            if self._config.plain:
                record_parity(opened, report)
        report = dataclasses.replace(report, candidate=candidate.name)
        return Judged(report, candidate.target, tuple(gallery.exhibits))

    def _bisected(self, opened: Path | OpenArtifact, device: Device, report: Report) -> Bisection:
        to = self._options.reproductions
        if device.name != DEFAULT:
            raise UsageError(
                "a bisection runs on this host", fix=f"leave out --device {device.name}"
            )
        if isinstance(opened, Path):
            return bisect_model(opened, self._options.precision or "fp32", self._config, report, to)
        return bisect_artifact(opened, self._net(opened), self._config, report, to)

    def _net(self, opened: OpenArtifact) -> StyleNet:
        return self._config.net or self._nets.of(opened.manifest)
