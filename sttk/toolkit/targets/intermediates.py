"""A model whose inner tensors can be read and of which a part can be taken: a file a format."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.imaging.images import Floats

Values = Mapping[str, Floats]


@dataclass(frozen=True)
class Tap:
    """A tensor that one operation of the model computes.

    Attributes:
        tensor: its name, unique in the model.
        operation: name of the operation.
        kind: of operation, as the format calls it: ``Conv``, ``Convolution``, ``conv``.
        weights: names of what the operation reads that is stored, where the format keeps names.
    """

    tensor: str
    operation: str
    kind: str
    weights: tuple[str, ...] = ()


class Part(Protocol):
    """A model of its own, cut out of another.

    Attributes:
        inputs: tensors that it must be given.
    """

    inputs: tuple[str, ...]

    def run(self, given: Values) -> Floats:
        """Its one result. Raises RunError."""

    def save(self, folder: Path) -> str:
        """Write the model into ``folder``; its file name."""


class Tapped(Protocol):
    """A model with its inner tensors laid open.

    Attributes:
        name: of the model's file.
        taps: in the order of execution.
        input: name of the tensor that the model takes.
        output: name of the tensor that it gives.
        script: text of a program that runs a saved part, see ``reproduction.py``.
        notes: what a reader must know of how it is run.
    """

    name: str
    taps: tuple[Tap, ...]
    input: str
    output: str
    script: str
    notes: tuple[str, ...]

    def run(self, batch: Floats) -> Values:
        """Every tap's value, those that are no (B, C, H, W) floats left out. Raises RunError."""

    def part(self, tensor: str, known: Collection[str]) -> Part:
        """What computes ``tensor`` from ``known`` tensors, or from the model's input."""


# Suffix of a model -> who lays it open.
FORMATS = {
    ".onnx": "sttk.toolkit.targets.onnx.intermediates:TappedOnnx",
    ".xml": "sttk.toolkit.targets.openvino.intermediates:TappedOpenVino",
    ".mlpackage": "sttk.toolkit.targets.coreml.intermediates:TappedCoreML",
}


def open_taps(model: Path) -> Tapped:
    """Raises UsageError for a format whose inner tensors cannot be read, and what loading does."""
    if model.suffix not in FORMATS:
        raise UsageError(
            f"{model}: no bisection of {model.suffix or 'such'} models",
            fix=f"it takes {', '.join(FORMATS)}",
        )
    module, name = FORMATS[model.suffix].split(":")
    tapped: Tapped = _type(module, name)(model)
    return tapped


def _type(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)
