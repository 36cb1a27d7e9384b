"""What one benchmark is to measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sttk.benchmarks.entrants import Entrant
from sttk.benchmarks.rows import Case
from sttk.benchmarks.ways import Way
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.core.style_net import StyleNet

# More models to time next to the style's own, at one size.
More = Callable[[StyleNet, Path, Size, int, Path], Iterator[Entrant]]


@dataclass(frozen=True)
class BenchConfig:
    """What to measure.

    Attributes:
        net: the style.
        ways: to run it in.
        sizes: (height, width), each.
        batches: pictures at once, each.
        threads: of the CPU, for each runtime.
        seconds: of wall time for everything (``sttk.benchmarks.budget``).
        planned: whether ``seconds`` is kept, and rows that do not fit are left out; else all ways
            are timed, and half of ``seconds`` is for the rounds.
        began: moment of ``time.perf_counter`` from which ``seconds`` count; None for the call.
        ending: seconds of the nominal machine that the caller needs for what follows.
        peaks: whether the machine's peaks are measured, which reports show; a plan's rows have no
            limit without.
        required: cases that are timed though a plan would leave them out.
        gatys: whether the optimisation is timed, too.
        full: whether it is run to the end.
        vgg: weights of its loss network; None for those at hand.
        profile: whether each row tells its slowest nodes.
        more: other models, if any.
    """

    net: StyleNet
    ways: Sequence[Way]
    sizes: Sequence[Size] = ((512, 512),)
    batches: Sequence[int] = (1,)
    threads: int = 1
    seconds: float = 120.0
    planned: bool = False
    began: float | None = None
    ending: float = 0.0
    peaks: bool = True
    required: frozenset[Case] = frozenset()
    gatys: bool = True
    full: bool = False
    vgg: Path | None = None
    profile: bool = False
    more: More | None = None
