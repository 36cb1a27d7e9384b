"""The protocol of a runtime, which runs a model on arrays, and its optional extensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from sttk.toolkit.core.shapes import Shapes

if TYPE_CHECKING:
    from typing_extensions import Self

    from sttk.toolkit.imaging.images import Floats

# The note of a runner that was asked to compute in f32.
WIDE = "computed in float32, with the weights that are saved"
LAYOUTS = ("plain",)  # the memory layouts that can be requested


@dataclass(frozen=True)
class Settings:
    """The settings of a runtime; None leaves the choice to the runtime.

    A runtime that cannot compute in the requested precision raises UsageError.

    Attributes:
        inference_precision: the precision of the arithmetic: ``f32``, ``bf16`` or ``f16``.
        threads: the number of CPU threads; ignored by runtimes that compute on other devices.
        layout: ``plain`` turns off blocked memory layouts, which cost a reordering of the input
            and the output; ignored by runtimes that have no choice of layout.
        profile: measure the time of every node, which has a cost itself (:class:`Profiled`).
    """

    inference_precision: str | None = None
    threads: int | None = None
    layout: str | None = None
    profile: bool = False


@dataclass(frozen=True)
class Choices:
    """The choices that a runtime offers in :class:`Settings`.

    Attributes:
        arithmetic: the precisions besides the runtime's default, if the machine supports them.
        threads: whether the number of threads can be set.
        layouts: the memory layouts besides the runtime's default.
    """

    arithmetic: tuple[str, ...] = ()
    threads: bool = False
    layouts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Node:
    """The time that one node of a model takes.

    Attributes:
        name: the node's name in the model.
        kind: its operation, as the runtime calls it.
        seconds: its time in one run.
    """

    name: str
    kind: str
    seconds: float


@dataclass(frozen=True)
class Check:
    """The result of a static check of a model's file.

    Attributes:
        name: the subject of the check, such as ``header``.
        passed: whether the check passed.
        detail: the finding in one line.
    """

    name: str
    passed: bool
    detail: str = ""


@runtime_checkable
class Profiled(Protocol):
    """A loaded model that can report the time of each node, if its settings asked for it."""

    def profile(self) -> list[Node]:
        """Return the mean of the runs so far, or the last run, and end the profile."""


@runtime_checkable
class Adjustable(Protocol):
    """A loaded model whose runtime offers choices."""

    choices: Choices


@runtime_checkable
class OnDevice(Protocol):
    """A loaded model that runs on a device with memory of its own.

    Attributes:
        device_seconds: the time of the last run on the device, without the copies.
    """

    device_seconds: float


@runtime_checkable
class Featured(Protocol):
    """A loaded model that knows the processor that runs it, where that is not this host's CPU.

    Attributes:
        machine: the processor, such as a GPU's name.
        features: what it can compute in that matters, such as ``Vulkan fp16``.
    """

    machine: str
    features: tuple[str, ...]


@runtime_checkable
class Tensors(Protocol):
    """A loaded model whose file says how its tensors lie, which its runner follows.

    Attributes:
        layout: ``nchw`` or ``nhwc``.
        type: ``float`` or ``uint8``; pictures are rounded to the latter.
    """

    layout: str
    type: str


@runtime_checkable
class Frugal(Protocol):
    """A loaded model that does not hold the features of a whole picture in memory.

    Attributes:
        bytes_per_pixel: the memory that it needs for each pixel of the picture.
    """

    bytes_per_pixel: int


class Closing:
    """The base class of runners: a ``with`` block closes them at its end.

    ``close`` does nothing here, for the runners that hold nothing but memory of their own.
    """

    def close(self) -> None:
        """Release what the model holds. It cannot run afterwards; closing it again is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Runner(Protocol):
    """A loaded model; see :class:`Closing` for how it ends.

    Attributes:
        name: the runtime's name, such as ``onnxruntime``.
        takes: the batch sizes and picture sizes that it can run.
        notes: caveats for readers of its results, such as what they do not prove.
    """

    name: str
    takes: Shapes
    notes: tuple[str, ...]

    def run(self, batch: Floats) -> Floats:
        """Run a batch: (B, 3, H, W) float32 RGB in 0..255 -> (B, 3, H', W'), by the contract.

        Raises:
            RunError: the model does not take this input, or fails on it.
        """

    def close(self) -> None:
        """Release what the model holds. It cannot run afterwards; closing it again is harmless."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
