"""Who takes part: every case with what its process has to make, or the reason why it cannot."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeAlias

import torch

from sttk.benchmarks.rows import GATYS, Case
from sttk.benchmarks.specs import IterationSpec, ModelClockSpec
from sttk.benchmarks.ways import Way, reason_against
from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.gatys import run as gatys_run
from sttk.toolkit.host.memory import BYTES_PER_PIXEL
from sttk.toolkit.precision.cost import Layer, layers_of

# The 2015 paper's layers and pooling; the later one's scales cost nothing once they are known.
GATYS_PRESET = "gatys2016"
# What a process takes before it has seen a picture: libraries and weights.
_PROCESS_BYTES = 400_000_000


ClockSpec: TypeAlias = ModelClockSpec | IterationSpec


class ModelExporter(Protocol):
    """What exports models, here or in another process: ``sttk.benchmarks.exports.Exports``."""

    def export(
        self, style: str, target: str, precision: Precision, size: Size, batch: int = 1
    ) -> Path:
        """See ``Exports.export``."""


@dataclass(frozen=True)
class Setting:
    """What all entrants of one size share.

    Attributes:
        photo: JPEG file of that size.
        size: (height, width) in pixels.
        threads: of the CPU, for each.
        root: folder for models.
    """

    photo: Path
    size: Size
    threads: int
    root: Path


@dataclass(frozen=True)
class Entrant:
    """A case that takes part.

    Attributes:
        case: what it is.
        clock: its stopwatch; None if it cannot run.
        arithmetic: see ``sttk.benchmarks.rows.Row``.
        layers: of the net, for the roofline; empty where they are not known.
        reason: why it cannot run after all, or "".
    """

    case: Case
    clock: ClockSpec | None = None
    arithmetic: str = "fp32"
    layers: Sequence[Layer] = ()
    reason: str = ""

    @property
    def bytes(self) -> int:
        """Memory that its process will take, about; 0 if it has no process."""
        if self.reason:
            return 0
        return bytes_of(self.case)


def bytes_of(case: Case) -> int:
    """Bytes of memory that a case's process will take, about."""
    height, width = case.size
    each = gatys_run.BYTES_PER_PIXEL if case.runtime == GATYS else BYTES_PER_PIXEL
    return _PROCESS_BYTES + each * height * width * case.batch


Enter = Callable[[ModelExporter], Entrant]


def of_way(
    net: StyleNet, way: Way, setting: Setting, batch: int, exporter: ModelExporter
) -> Entrant:
    """A style in one way, exported where it has to be."""
    case = Case(net.origin.name, way.runtime, way.precision, setting.size, batch)
    if reason := reason_against(way):
        return Entrant(case, reason=reason)
    source = net.origin.source
    try:
        # torch runs the net as it is.
        exported = source, way.target, way.exported, setting.size, batch
        model = exporter.export(*exported) if way.target else None
    except NotRunError as error:
        if type(error) is not NotRunError:  # time ran out: nothing is wrong with the case
            raise
        return Entrant(case, reason=str(error))
    clock = ModelClockSpec(way.subject(source, model, setting.threads), setting.photo, batch)
    return Entrant(case, clock, way.arithmetic, layers(net, setting.size))


def of_gatys(setting: Setting, vgg: Path | None) -> Entrant:
    """The optimisation of one picture of this size."""
    clock = IterationSpec(setting.photo, GATYS_PRESET, vgg, setting.threads)
    return Entrant(gatys_case(setting.size), clock)


def gatys_case(size: Size) -> Case:
    """What the optimisation's row is called."""
    return Case("VGG-19", GATYS, "fp32", size)


@lru_cache(maxsize=16)
def layers(net: StyleNet, size: Size) -> tuple[Layer, ...]:
    """Return the layers of a net as it runs on one picture; every row of the net asks.

    Shapes are all that is needed, and torch's meta device computes nothing else. A net that looks
    at values cannot do without them.
    """
    try:
        shapes = copy.deepcopy(net).to("meta")
        with torch.device("meta"):
            return tuple(layers_of(shapes, size).values())
    except (NotImplementedError, RuntimeError):
        return tuple(layers_of(net, size).values())
