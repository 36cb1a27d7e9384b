"""The interface of a device, and the evidence of what ran there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit import targets
from sttk.toolkit.core.errors import ArtifactError, NotRunError, UsageError
from sttk.toolkit.core.shapes import ShapesError
from sttk.toolkit.runtimes.base import Featured

if TYPE_CHECKING:
    from sttk.toolkit.runtimes.base import Runner, Settings
    from sttk.toolkit.targets.base import Target

REAL, EMULATED, SOFTWARE = "real", "emulated", "in software"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Need:
    """A part that a device lacks here.

    Attributes:
        what: the part, such as ``qemu-aarch64-static``.
        fix: the command that installs it.
        root: whether that command needs root.
    """

    what: str
    fix: str
    root: bool = False

    def __str__(self) -> str:
        """Return a line such as ``no Chromium (as root: apt-get install chromium)``."""
        return f"no {self.what} ({'as root: ' if self.root else ''}{self.fix})"


@dataclass(frozen=True)
class Evidence:
    """The arithmetic by which a verdict was reached.

    Attributes:
        device: the device's name.
        kind: :data:`REAL`, :data:`EMULATED` or :data:`SOFTWARE`.
        machine: the processor, such as ``x86-64``, ``ARM64`` or a GPU's name.
        features: what it can compute in that matters, such as ``NEON fp16``.
        arithmetic: the arithmetic of the model there: ``float32`` or ``float16``.
        libraries: the versions of the libraries that computed it.
    """

    device: str
    kind: str
    machine: str
    features: tuple[str, ...]
    arithmetic: str
    libraries: dict[str, str]

    def __str__(self) -> str:
        """Return text such as ``float16 on ARM64 (NEON fp16), emulated``."""
        features = f" ({', '.join(self.features)})" if self.features else ""
        kind = "" if self.kind == REAL else f", {self.kind}"
        return f"{self.brief}{features}{kind}"

    @property
    def brief(self) -> str:
        """Text such as ``float16 on ARM64``."""
        return f"{self.arithmetic} on {self.machine}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Device(ABC):
    """One device.

    Attributes:
        name: its name on the command line.
        about: what it is, in one line.
    """

    name: str
    about: str

    @property
    @abstractmethod
    def kind(self) -> str:
        """:data:`REAL`, :data:`EMULATED` or :data:`SOFTWARE`, as it would run here."""

    @property
    @abstractmethod
    def machine(self) -> str:
        """The processor in a word or two, such as ``x86-64``."""

    @abstractmethod
    def features(self) -> tuple[str, ...]:
        """Return what it can compute in that matters; empty where that is not known."""

    def runs(self, target: Target) -> bool:
        """Return whether models of a target can run on it, provided that it is here."""
        return self.name in target.devices

    def judges(self, target: Target, precision: str) -> bool:
        """Return whether models of a target and a precision have something to prove on it."""
        del precision
        return self.runs(target)

    def lacking(self, target: Target | None = None) -> tuple[Need, ...]:
        """Return what is missing here for it to run, in general or models of one target."""
        del target
        return ()

    @abstractmethod
    def load(self, target: Target, model: Path, settings: Settings | None) -> Runner:
        """Load a model on the device, which is here; see :meth:`open`."""

    def open(self, target: Target, model: Path, settings: Settings | None = None) -> Runner:
        """Load a model on the device.

        Raises:
            UsageError: the device does not run such models, or not with these settings.
            NotRunError: the device is not here.
            ArtifactError: the model cannot be loaded.
        """
        if not self.runs(target):
            raise UsageError(f"{model}: {self.name} does not run {target.name} models")
        self.check(target)
        return self.load(target, model, settings)

    def open_model(self, model: Path, settings: Settings | None = None) -> Runner:
        """Load a model file of any target; see :meth:`open`.

        Raises:
            UsageError: no target has such files.
        """
        target = targets.required(model)
        try:
            return self.open(target, model, settings)
        except ShapesError as error:
            raise ArtifactError(f"{model}: {error}") from error

    def check(self, target: Target | None = None) -> None:
        """Raise NotRunError, with the fix, if something that it needs is missing here."""
        needs = self.lacking(target)
        if needs:
            what = ", ".join(each.what for each in needs)
            raise NotRunError(f"not run: {self.name} lacks {what}", fix=_fix(needs))

    def evidence(
        self, target: Target, precision: str, runner: Runner, settings: Settings | None = None
    ) -> Evidence:
        """Return by what a runner that :meth:`open` returned computes.

        Args:
            target: the model's target.
            precision: the model's precision.
            runner: the loaded model.
            settings: the settings that it was loaded with.
        """
        known = runner if isinstance(runner, Featured) else None
        features = known.features if known else self.features()
        asked = settings.inference_precision if settings else None
        return Evidence(
            self.name,
            self.kind,
            known.machine if known else self.machine,
            features,
            self.arithmetic(target, precision, features, asked),
            self.libraries(target, runner),
        )

    def arithmetic(
        self, target: Target, precision: str, features: tuple[str, ...], asked: str | None
    ) -> str:
        """Return the arithmetic that a model is computed in; see :meth:`Target.computes_in`."""
        return target.computes_in(precision, features, asked)

    def libraries(self, target: Target, runner: Runner) -> dict[str, str]:
        """Return the versions of the libraries that run a model."""
        del runner
        return target.requires.versions()

    def install(self, say: Say) -> None:
        """Install what is missing, as far as that needs no other user's rights.

        Args:
            say: called with a line for each step.

        Raises:
            NotRunError: something needs root or cannot be had here; the fix says what to do.
        """
        del say
        self.check()


def _fix(needs: tuple[Need, ...]) -> str:
    return "; ".join(dict.fromkeys(("as root: " if each.root else "") + each.fix for each in needs))
