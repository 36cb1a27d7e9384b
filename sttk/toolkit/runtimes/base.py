"""What a runtime is: something that runs a model on arrays, behind one small protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from sttk.toolkit.core.shapes import Shapes

if TYPE_CHECKING:
    from sttk.toolkit.imaging.images import Floats

# What a model's runner notes that was told to compute in f32.
WIDE = "computed in float32, with the weights that are saved"
LAYOUTS = ("plain",)  # in memory: what can be asked for


@dataclass(frozen=True)
class Settings:
    """How to run a model; None is the runtime's own choice.

    A runtime that cannot compute in the precision that it is told raises UsageError.

    Attributes:
        inference_precision: ``f32``, ``bf16`` or ``f16``, of the arithmetic.
        threads: of the CPU; of no matter to a runtime that computes elsewhere.
        layout: ``plain``: no blocked layouts of its own, which cost a reordering at either end; of
            no matter to a runtime that has no choice.
        profile: take the time of every node, which costs time itself (:class:`Profiled`).
    """

    inference_precision: str | None = None
    threads: int | None = None
    layout: str | None = None
    profile: bool = False


@dataclass(frozen=True)
class Choices:
    """What a runtime leaves to :class:`Settings`.

    Attributes:
        arithmetic: other than its own, if the machine has it.
        threads: whether their number can be said.
        layouts: other than its own.
    """

    arithmetic: tuple[str, ...] = ()
    threads: bool = False
    layouts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Node:
    """What one node of a model takes.

    Attributes:
        name: in the model.
        kind: its operation, as the runtime calls it.
        seconds: of one run.
    """

    name: str
    kind: str
    seconds: float


@dataclass(frozen=True)
class Check:
    """What was found by looking at a model's file, without running it.

    Attributes:
        name: what was looked at, such as ``header``.
        passed: whether it is as it should be.
        detail: what was found, in one line.
    """

    name: str
    passed: bool
    detail: str = ""


@runtime_checkable
class Profiled(Protocol):
    """A loaded model that can tell where its time goes, if its settings said so."""

    def profile(self) -> list[Node]:
        """Of the runs so far: their mean, or the last one. It ends the profile."""


@runtime_checkable
class Adjustable(Protocol):
    """A loaded model whose runtime leaves something to choose."""

    choices: Choices


@runtime_checkable
class OnDevice(Protocol):
    """A loaded model whose arrays have to go somewhere else and come back.

    Attributes:
        device_seconds: that the last run took there, without its copies.
    """

    device_seconds: float


@runtime_checkable
class Frugal(Protocol):
    """A loaded model that does not hold a whole picture's features.

    Attributes:
        bytes_per_pixel: of memory, by which it grows with the picture.
    """

    bytes_per_pixel: int


class Runner(Protocol):
    """A loaded model.

    Attributes:
        name: of the runtime, such as ``onnxruntime``.
        takes: which batches and sizes it can run.
        notes: what a reader of its results must know, such as what they do not prove.
    """

    name: str
    takes: Shapes
    notes: tuple[str, ...]

    def run(self, batch: Floats) -> Floats:
        """(B, 3, H, W) float32 RGB in 0..255 -> (B, 3, H', W'), by the net's contract.

        Raises:
            RunError: the model does not take such an input, or failed on it.
        """
