"""Who takes part: every case with what its process has to make, or the reason why it cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.rows import GATYS, Case
from benchmarks.ways import Way, reason_against
from exporters.artifact import make_artifact
from exporters.base import Request
from exporters.plans import usual_plan
from toolkit import styles
from toolkit.artifact import open_artifact
from toolkit.errors import SttkError
from toolkit.gatys import run as gatys_run
from toolkit.memory import BYTES_PER_PIXEL
from toolkit.precision.cost import Layer, layers_of
from toolkit.shapes import Shapes, Size
from toolkit.style_net import StyleNet

MODEL_CLOCK = "benchmarks.clocks:ModelClock"
GATYS_CLOCK = "benchmarks.clocks:IterationClock"
# The 2015 paper's layers and pooling; the later one's scales cost nothing once they are known.
GATYS_PRESET = "gatys2016"
# What a process takes before it has seen a picture: libraries and weights.
_PROCESS_BYTES = 400_000_000


@dataclass(frozen=True)
class Entrant:
    """A case that takes part.

    Attributes:
        case: what it is.
        clock: ``module:name`` of its stopwatch.
        options: the stopwatch's arguments.
        arithmetic: see ``benchmarks.rows.Row``.
        layers: of the net, for the roofline; empty where they are not known.
        reason: why it cannot run after all, or "".
    """

    case: Case
    clock: str = MODEL_CLOCK
    options: Mapping[str, Any] = field(default_factory=dict)
    arithmetic: str = "fp32"
    layers: Sequence[Layer] = ()
    reason: str = ""

    @property
    def bytes(self) -> int:
        """Of memory that its process will take, about; none if it has none."""
        if self.reason:
            return 0
        height, width = self.case.size
        each = gatys_run.BYTES_PER_PIXEL if self.clock == GATYS_CLOCK else BYTES_PER_PIXEL
        return _PROCESS_BYTES + each * height * width * self.case.batch


def of_style(
    net: StyleNet,
    ways: Sequence[Way],
    photo: Path,
    size: Size,
    batch: int,
    threads: int,
    root: Path,
) -> Iterator[Entrant]:
    """The style in each way, exported below ``root`` where it has to be."""
    layers = tuple(layers_of(net, size).values())
    for way in ways:
        case = Case(net.origin.name, way.runtime, way.precision, size, batch)
        if reason := reason_against(way):
            yield Entrant(case, reason=reason)
            continue
        try:
            model = _exported(net, way, size, batch, root)
        except SttkError as error:
            yield Entrant(case, reason=str(error))
            continue
        subject, options = way.subject(net.origin.source, model, threads)
        asked = {"subject": subject, "options": options, "photo": photo, "batch": batch}
        yield Entrant(case, MODEL_CLOCK, asked, way.arithmetic, layers)


def of_small(
    net: StyleNet,
    ways: Sequence[Way],
    photo: Path,
    size: Size,
    batch: int,
    threads: int,
    root: Path,
) -> Iterator[Entrant]:
    """The shipped mobile nets of the style, in those ways that they are exported for.

    What cannot run here is left out: the style's own rows say why.
    """
    able = [way for way in ways if way.target and not reason_against(way)]
    for name in styles.small_of(net.origin.source):
        yield from of_style(styles.find(name), able, photo, size, batch, threads, root)


def of_gatys(photo: Path, size: Size, vgg: Path | None, threads: int) -> Entrant:
    """The optimisation of one picture of this size."""
    asked = {"photo": photo, "preset": GATYS_PRESET, "vgg": vgg, "threads": threads}
    return Entrant(Case("VGG-19", GATYS, "fp32", size), GATYS_CLOCK, asked)


def _exported(net: StyleNet, way: Way, size: Size, batch: int, root: Path) -> Path | None:
    """The model that the way runs; None if it runs the net as it is."""
    if not way.target:
        return None
    plan = usual_plan(way.target, net, way.exported)
    request = Request(net, plan.default, Shapes.fixed(*size, batch), blocks=plan.blocks)
    return open_artifact(make_artifact(way.target, request, root / str(batch))).model
