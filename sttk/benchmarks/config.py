"""What one benchmark is to measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sttk.benchmarks.cases import PreparedCase
from sttk.benchmarks.rows import Case
from sttk.benchmarks.variants import Variant
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.core.style_net import StyleNet

OnProgress = Callable[[float, str], None]  # a share of the work, and what is being done
# What other models to time next to the style's own, at one size.
PeerCases = Callable[[StyleNet, Path, Size, int, Path], Iterator[PreparedCase]]


@dataclass(frozen=True)
class BenchConfig:
    """What to measure.

    Attributes:
        net: the style.
        variants: the variants to time it in.
        sizes: the sizes, each (height, width) in pixels.
        batches: the numbers of pictures at once.
        threads: the CPU threads that each runtime may use.
        seconds: the wall time for everything (``sttk.benchmarks.budget``).
        planned: whether ``seconds`` is kept, and rows that do not fit are left out; else all
            variants are timed, and half of ``seconds`` is for the rounds.
        began: moment of ``time.perf_counter`` from which ``seconds`` count; None for the call.
        ending: seconds of the nominal machine that the caller needs for what follows.
        peaks: whether the machine's peaks are measured, which reports show; without them, rows of
            a kept budget have no limit.
        required: cases that are timed even where the budget would leave them out.
        gatys: whether the optimisation is timed, too.
        full: whether the optimisation is run to the end.
        vgg: weights of its loss network; None for those at hand.
        profile: whether each row lists its slowest nodes.
        peers: yields other people's models, if they are to be timed.
    """

    net: StyleNet
    variants: Sequence[Variant]
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
    peers: PeerCases | None = None
