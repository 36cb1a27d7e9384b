"""Cases, prepared: what each one's process has to make, or the reason why it cannot run."""

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
from sttk.benchmarks.stopwatch import process_bytes
from sttk.benchmarks.variants import Variant, reason_against
from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.gatys import run as gatys_run
from sttk.toolkit.host.memory import BYTES_PER_PIXEL
from sttk.toolkit.precision.cost import Layer, layers_of

# The 2015 paper's layers and pooling; the later one's scales cost nothing once they are known.
GATYS_PRESET = "gatys2016"


ClockSpec: TypeAlias = ModelClockSpec | IterationSpec


class ModelExporter(Protocol):
    """What exports models, here or in another process: ``sttk.benchmarks.exports.Exports``."""

    def export(
        self, style: str, target: str, precision: Precision, size: Size, batch: int = 1
    ) -> Path:
        """See ``Exports.export``."""


@dataclass(frozen=True)
class SizeContext:
    """What all cases of one size share.

    Attributes:
        photo: a JPEG file of that size.
        size: (height, width) in pixels.
        threads: the CPU threads that each case may use.
        root: the folder that models are exported to.
    """

    photo: Path
    size: Size
    threads: int
    root: Path


@dataclass(frozen=True)
class PreparedCase:
    """A case that is ready to be timed, or the reason why it cannot be.

    Attributes:
        case: the case's name: model, runtime, precision, size and batch.
        clock: the stopwatch that its process makes; None if it cannot run.
        arithmetic: see ``sttk.benchmarks.rows.Row``.
        layers: the net's layers, for the roofline; empty where they are not known.
        reason: why it cannot run after all, or an empty string.
    """

    case: Case
    clock: ClockSpec | None = None
    arithmetic: str = "fp32"
    layers: Sequence[Layer] = ()
    reason: str = ""


def bytes_of(case: Case) -> int:
    """Return about how many bytes of memory a case's process will take."""
    each = gatys_run.BYTES_PER_PIXEL if case.runtime == GATYS else BYTES_PER_PIXEL
    return process_bytes(case.size, case.batch, each)


Prepare = Callable[[ModelExporter], PreparedCase]


def prepare_variant(
    net: StyleNet, variant: Variant, context: SizeContext, batch: int, exporter: ModelExporter
) -> PreparedCase:
    """Prepare a style in one variant; export it where the variant runs an exported model."""
    case = Case(net.origin.name, variant.runtime, variant.precision, context.size, batch)
    if reason := reason_against(variant):
        return PreparedCase(case, reason=reason)
    source = net.origin.source
    try:
        # torch runs the net as it is.
        exported = source, variant.target, variant.exported, context.size, batch
        model = exporter.export(*exported) if variant.target else None
    except NotRunError as error:
        if type(error) is not NotRunError:  # time ran out: nothing is wrong with the case
            raise
        return PreparedCase(case, reason=str(error))
    clock = ModelClockSpec(variant.subject(source, model, context.threads), context.photo, batch)
    return PreparedCase(case, clock, variant.arithmetic, layers(net, context.size))


def prepare_gatys(context: SizeContext, vgg: Path | None) -> PreparedCase:
    """Prepare the optimisation of one picture of this size."""
    clock = IterationSpec(context.photo, GATYS_PRESET, vgg, context.threads)
    return PreparedCase(gatys_case(context.size), clock)


def gatys_case(size: Size) -> Case:
    """Return the case of the optimisation."""
    return Case("VGG-19", GATYS, "fp32", size)


@lru_cache(maxsize=16)
def layers(net: StyleNet, size: Size) -> tuple[Layer, ...]:
    """Return the layers of a net as it runs on one picture, once for all rows of the net.

    The shapes suffice, and torch's meta device computes nothing else. A net that reads values is
    run instead.
    """
    try:
        shapes = copy.deepcopy(net).to("meta")
        with torch.device("meta"):
            return tuple(layers_of(shapes, size).values())
    except (NotImplementedError, RuntimeError):
        return tuple(layers_of(net, size).values())
