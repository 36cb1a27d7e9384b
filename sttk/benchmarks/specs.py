"""Specs: what a process is to make, as plain values that can be pickled.

A spec's ``make`` runs in the new process. What needs torch or a runtime is imported by ``make``
alone, so that neither the process that asks nor a runtime's own process pays for another's library.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sttk.benchmarks.clocks import IterationClock, ModelClock
from sttk.benchmarks.subjects.base import SubjectSpec
from sttk.toolkit.runtimes.base import Settings

if TYPE_CHECKING:
    from sttk.benchmarks.exports import Exports
    from sttk.benchmarks.peaks import Peaks
    from sttk.benchmarks.subjects.model import ModelSubject
    from sttk.benchmarks.subjects.torch import TorchSubject


@dataclass(frozen=True)
class ModelSpec:
    """A model file under the runtime that its suffix stands for.

    Attributes:
        model: the model's file or package.
        settings: how its runtime is to run it.
    """

    model: Path
    settings: Settings = Settings()  # noqa: RUF009 (frozen)

    def make(self, profile: bool = False) -> ModelSubject:
        """See :class:`SubjectSpec`."""
        from sttk.benchmarks.subjects.model import ModelSubject  # noqa: PLC0415

        return ModelSubject(self.model, replace(self.settings, profile=profile))


@dataclass(frozen=True)
class TorchSpec:
    """A style or checkpoint in torch; see ``sttk.benchmarks.subjects.torch.TorchSubject``."""

    style: str
    precision: str
    compiled: bool
    device: str
    threads: int

    def make(self, profile: bool = False) -> TorchSubject:  # noqa: ARG002 (it always can tell)
        """See :class:`SubjectSpec`."""
        from sttk.benchmarks.subjects.torch import TorchSubject  # noqa: PLC0415

        return TorchSubject(self.style, self.precision, self.compiled, self.device, self.threads)


@dataclass(frozen=True)
class ModelClockSpec:
    """A stopwatch that holds a model.

    Attributes:
        subject: the spec of the model.
        photo: a picture file of the size that is timed.
        batch: the number of pictures at once.
        profile: whether the time of each node will be asked for.
        whole: whether the way from the file to 8-bit pictures is timed, too.
        checked: whether results must belong to their pictures, and differ between two pictures.
    """

    subject: SubjectSpec
    photo: Path
    batch: int = 1
    profile: bool = False
    whole: bool = True
    checked: bool = True

    def make(self) -> ModelClock:
        """Load the model."""
        return ModelClock(
            self.subject, self.photo, self.batch, self.profile, self.whole, self.checked
        )


@dataclass(frozen=True)
class IterationSpec:
    """A stopwatch that holds Gatys' optimisation; see ``IterationClock`` of the same module."""

    photo: Path
    preset: str
    vgg: Path | None
    threads: int

    def make(self) -> IterationClock:
        """Load the loss network."""
        return IterationClock(self.photo, self.preset, self.vgg, self.threads)


@dataclass(frozen=True)
class ExportsSpec:
    """The exports of one benchmark; see ``sttk.benchmarks.exports.Exports``."""

    root: Path

    def make(self) -> Exports:
        """Load no net yet."""
        from sttk.benchmarks.exports import Exports  # noqa: PLC0415

        return Exports(self.root)


@dataclass(frozen=True)
class PeaksSpec:
    """The machine's peaks; see ``sttk.benchmarks.peaks.Peaks``."""

    threads: int
    device: str

    def make(self) -> Peaks:
        """Measure nothing yet."""
        from sttk.benchmarks.peaks import Peaks  # noqa: PLC0415

        return Peaks(self.threads, self.device)
