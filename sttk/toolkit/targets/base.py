"""The interface of an export target, apart from the export itself.

A target's package, ``toolkit/targets/NAME``, is the only place below ``toolkit`` that knows its
library. Its ``__init__.py`` defines ``TARGET`` and imports nothing heavy; methods import the rest
when they are called.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.core.rungs import EXACT, FAITHFUL, RUNGS, SAME_STYLE
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.targets.requirements import GRAPH, Requirements

if TYPE_CHECKING:
    from sttk.toolkit.artifact.manifest import Manifest
    from sttk.toolkit.core.contract import Precision
    from sttk.toolkit.runtimes.base import Check, Runner, Settings
    from sttk.toolkit.targets.intermediates import InstrumentedModel
    from sttk.toolkit.targets.structure import Structure

FLOAT32, FLOAT16 = "float32", "float16"
# The names of ``Settings.inference_precision`` as people write them.
_ARITHMETIC = {"f32": FLOAT32, "f16": FLOAT16, "bf16": "bfloat16"}
HALF_RESULTS = "float16 results"  # the feature of a processor that rounds all that it computes
ON_DISK = "float16 weights in the file; the runtime chooses its arithmetic"


@dataclass(frozen=True)
class Tensors:
    """The input and output of a target's models, as shown to people.

    Attributes:
        input: the input's name.
        output: the output's name.
        shape: the shape of both; {B} stands for the batch size.
        batches: whether a model of any size takes any batch size.
        fp16: the parts of an fp16 model that are in float16.
    """

    input: str = "image"
    output: str = "stylized"
    shape: str = "({B}, 3, H, W)"
    batches: bool = True
    fp16: str = "float16 weights and arithmetic"


@dataclass(frozen=True)
class Timed:
    """One way in which ``sttk bench`` times a target.

    Attributes:
        precision: the precision's name in the tables.
        arithmetic: the arithmetic of its multiplications, whose peak on this machine is its limit.
        usual: whether it is timed by default.
        exported: the precision of the export.
        inference: the precision that the runtime computes in; None for the model's own.
        feature: the processor feature without which the figure says little, such as ``bf16``, or
            "".
        rank: its place among the rows that a budget starts with, or None if it comes after them.
        small_rank: the same for a style's mobile nets.
    """

    precision: str
    arithmetic: str
    usual: bool = True
    exported: Precision = "fp32"
    inference: str | None = None
    feature: str = ""
    rank: int | None = None
    small_rank: int | None = None


@dataclass(frozen=True)
class Target(ABC):
    """One export target.

    Attributes:
        name: the target's name, such as ``onnx``; also the extra that installs its libraries.
        model: the name of the model's file or package within an artifact.
        runtime: the name of the runtime that runs it, such as ``onnxruntime``.
        requires: the requirements for exporting and running it.
        tensors: the names and shapes of its input and output.
        is_package: whether a model is a folder of files, and not one file.
        devices: the names of the devices, besides this host, that can run its models.
        half_precisions: the precisions of models that its runtime computes in float16 on
            processors that have such arithmetic.
        half_features: the features of such processors.
        coarse_features: the features of processors on which its runtime's float32 convolutions
            have a larger error than sums have, so that no model promises to be exact there.
        half_promise: the rung that float models promise there.
        cross_packages: Debian's packages with which the runner for an emulated processor is
            compiled; see :meth:`open_cross`.
        int8_arithmetic: the arithmetic between the quantisers of an int8 model.
        opaque: why the intermediate tensors of its models cannot be read, if that needs saying.
        in_all: whether ``sttk export --target all`` includes it.
        mutated: whether ``sttk mutants`` exports to it by default. Each target adds the time of an
            export to every fault, so there is one for each way to a file: the graph itself, a
            converter of it, and a converter of torch's program.
        timed: whether times measured here say something about its users' devices.
        selectable: whether ``sttk stylize --runtime`` can name its runtime.
        cpu_rank: its place among the runtimes by speed on a CPU, from 0, or None if unranked
            (artifacts/reports/bench).
        timings: the ways in which ``sttk bench`` times it.
        conversion_seconds: the time that an export takes after the graph is made, on the machine
            for which the bench's budget is set (``benchmarks/schedule.py``).
        shown: the shapes in which ``sttk parity`` without arguments exports the shipped style, or
            None if it leaves this target out.
    """

    name: str
    model: str
    runtime: str
    requires: Requirements
    tensors: Tensors = field(default_factory=Tensors)
    is_package: bool = False
    devices: tuple[str, ...] = ()
    half_precisions: tuple[str, ...] = ()
    half_features: tuple[str, ...] = ("NEON fp16",)
    half_promise: str = FAITHFUL
    coarse_features: tuple[str, ...] = ()
    cross_packages: tuple[str, ...] = ()
    int8_arithmetic: Precision = "int8"
    opaque: str = ""
    in_all: bool = True
    mutated: bool = False
    timed: bool = True
    selectable: bool = True
    cpu_rank: int | None = None
    timings: tuple[Timed, ...] = ()
    conversion_seconds: float = 20.0
    shown: Shapes | None = None

    @property
    def suffix(self) -> str:
        """The suffix of the model's file or package, such as ``.onnx``."""
        return PurePath(self.model).suffix

    def promise(self, precision: str, *, compressed: bool = False) -> str:
        """Return the rung that an artifact of this target promises against its reference.

        An int8 or fp8 reference has the same quantisers as the artifact. Weights that are
        compressed after the conversion have no such reference, so they only promise the style. So
        does int8 with float16 arithmetic: where a rounded value lands on another level, the step
        is a thousand times the rounding error, and spreads.

        Args:
            precision: one of ``contract.PRECISIONS``.
            compressed: whether the weights were compressed by the target's own tools.
        """
        if compressed or (precision == "int8" and self.int8_arithmetic == "fp16"):
            return SAME_STYLE
        return EXACT if precision == "fp32" else FAITHFUL

    def promise_in_half(self, precision: str, *, compressed: bool = False) -> str:
        """Return the rung that an artifact promises where it is computed in float16.

        Args:
            precision: one of ``contract.PRECISIONS``.
            compressed: see :meth:`promise`.
        """
        own = self.promise(precision, compressed=compressed)
        if precision not in self.half_precisions:
            return own
        if precision in ("int8", "fp8"):  # see promise: a value may land on another level
            return SAME_STYLE
        return max(self.half_promise, own, key=RUNGS.index)

    def computes_in(
        self, precision: str, features: Collection[str], asked: str | None = None
    ) -> str:
        """Return the floating-point arithmetic of a model: ``float32``, ``float16``, ...

        Args:
            precision: the model's precision, one of ``contract.PRECISIONS``.
            features: those of the processor.
            asked: the ``inference_precision`` that was requested of the runtime, or None.
        """
        if asked:
            return _ARITHMETIC[asked]
        able = not set(features).isdisjoint(self.half_features)
        return FLOAT16 if able and precision in self.half_precisions else FLOAT32

    def promise_on(self, features: Collection[str], promise: str) -> str:
        """Return what is left of a promise in float32 on a processor with these features."""
        coarse = not set(features).isdisjoint(self.coarse_features)
        return FAITHFUL if coarse and promise == EXACT else promise

    def arithmetic(self, precision: str) -> str:
        """Return the arithmetic of a model of ``precision``: for int8, that between quantisers."""
        return self.int8_arithmetic if precision == "int8" else precision

    @property
    def from_graph(self) -> bool:
        """Whether its exporter starts from the ONNX graph, which several targets share."""
        return set(GRAPH) <= set(self.requires.exports)

    def not_timed_here(self) -> str:
        """Return why a time measured on this system would mean nothing, or ""."""
        return ""

    @abstractmethod
    def open_model(self, model: Path, settings: Settings | None) -> Runner:
        """Load a model file. Raises ArtifactError, NotRunError or UsageError."""

    def open_on(self, device: str, model: Path, settings: Settings | None) -> Runner:
        """Load a model file on one of its ``devices``, in a process that is made for that device.

        Raises:
            ArtifactError, NotRunError, UsageError: see :meth:`open_model`.
        """
        del device
        return self.open_model(model, settings)

    @property
    def has_cross(self) -> bool:
        """Whether a program of its own, and not sttk, runs its models on an emulated processor."""
        return type(self).open_cross is not Target.open_cross

    def open_cross(
        self, model: Path, settings: Settings | None, folder: Path, emulator: Path | None
    ) -> Runner:
        """Load a model on an emulated processor for which its library has no Python.

        Args:
            model: the model file.
            settings: the runtime's settings.
            folder: the device's folder (``devices/arm64_root.py``).
            emulator: the program that emulates the processor.

        Raises:
            ArtifactError, NotRunError, UsageError: see :meth:`open_model`.
        """
        del settings, folder, emulator
        raise UsageError(f"{model}: sttk has no runner of {self.suffix} models to compile")

    def lacking_cross(self, folder: Path, emulator: Path | None) -> tuple[str, ...]:
        """Return the names of the parts that :meth:`open_cross` lacks."""
        del folder, emulator
        return ()

    @abstractmethod
    def describe(self, model: Path) -> dict[str, Any]:
        """Return the facts that ``sttk inspect`` shows of a model file, as plain JSON values."""

    def checks(self, model: Path, manifest: Manifest | None) -> tuple[Check, ...]:
        """Check a model file without running it.

        Args:
            model: the file or package.
            manifest: the manifest of the artifact that it belongs to, with its files verified.
        """
        del model, manifest
        return ()

    def structure(self, model: Path) -> Structure | None:
        """Read what a model's graph says, without a runtime; None if sttk cannot.

        Raises:
            NotReadError: this file cannot be read.
            ArtifactError: it is not a model of this target.
        """
        del model
        return None

    @property
    def has_intermediates(self) -> bool:
        """Whether the intermediate tensors of its models can be read, as a bisection needs."""
        return type(self).intermediates is not Target.intermediates

    def intermediates(self, model: Path) -> InstrumentedModel:
        """Give access to a model's intermediate tensors. Raises UsageError if it has none."""
        raise UsageError(f"{model}: no bisection of {self.suffix} models")

    @property
    def has_emulation(self) -> bool:
        """Whether its models can be run in the arithmetic of a phone's GPU, on any CPU."""
        return type(self).emulated is not Target.emulated

    def emulated(self, model: Path) -> Runner:
        """Load a model in sttk's own interpreter with float16 arithmetic.

        Every result is rounded to float16, and convolutions add up in float16, as the GPUs of
        phones compute a float32 file too.

        Raises:
            ArtifactError: the model cannot be read, or the interpreter cannot run it.
            MissingExtraError: the target's library is not installed.
            UsageError: this target has no such interpreter.
        """
        raise UsageError(f"{model}: sttk has no interpreter of {self.suffix} models")
