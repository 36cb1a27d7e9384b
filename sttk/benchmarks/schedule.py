"""The order in which a benchmark's rows are started, and what each is likely to cost."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sttk.benchmarks.budget import Cost, Plan
from sttk.benchmarks.cases import (
    Prepare,
    SizeContext,
    bytes_of,
    gatys_case,
    layers,
    prepare_gatys,
    prepare_variant,
)
from sttk.benchmarks.config import BenchConfig
from sttk.benchmarks.rows import Case
from sttk.benchmarks.variants import VARIANTS, Variant, reason_against
from sttk.toolkit import styles
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.host import machine
from sttk.toolkit.targets import target

STYLE, SMALL = "style", "small"
# The first rows of a budget are those with a rank: the reference, what the style replaces, and then
# what people run. The rest follows in the order of ``sttk.benchmarks.variants``, the style before
# its mobile nets.
_GATYS_RANK = 1
_LAST = 1 << 10

# Seconds of the nominal machine: two cores of a server of 2021 without VNNI, with nothing else to
# do. One of AVX2 alone took 0.9 to 1.2 of it; ``budget.Plan`` learns what another takes.
_RATE = 60e9  # multiplications a second
_OF_TORCH = 0.5  # of that rate, what torch reaches
_PROCESS = 3.0  # to start one and to import its runtime
_LOSS_NETWORK = 4.0  # to load it, and to have it read the painting
_TRACE = 8.0  # a net to an ONNX graph, which several targets share
_CALIBRATION = 6.0
_COMPILING = 30.0  # torch.compile's first run
# The first run, those until it is steady, those that show what its results are, with pauses.
_RUNS_TO_WARM = 10
# An iteration runs VGG-19 forwards and backwards: three times the net of 32, 64 and 128 channels.
_ITERATION = 120e9 / 512**2
_ITERATIONS_TO_WARM = 5


@dataclass(frozen=True)
class Candidate:
    """A case that may be timed.

    Attributes:
        case: the case's name.
        cost: the estimated cost, without what several rows share.
        prepare: makes what its process needs; it may take most of the cost.
        required: whether it is started whatever the budget says, because it was asked for or costs
            nothing.
        shares: the name of what the first of several rows makes for all, such as a graph, or "".
        sharing: the nominal seconds that making it takes.
    """

    case: Case
    cost: Cost
    prepare: Prepare
    required: bool = False
    shares: str = ""
    sharing: float = 0.0

    def with_shared(self, made: Collection[str]) -> Cost:
        """Return its cost where some of what rows share has been made already."""
        seconds = 0.0 if self.shares in made else self.sharing
        return replace(self.cost, prepare=self.cost.prepare + seconds)

    @property
    def bytes(self) -> int:
        """About how many bytes of memory its process will take."""
        return bytes_of(self.case)


def candidates(config: BenchConfig, context: SizeContext) -> list[Candidate]:
    """Return the candidates of one size, in the order in which they are to be started."""
    found = [
        (kind, net, variant, batch)
        for batch in config.batches
        for kind, net in _nets(config.net)
        for variant in config.variants
        if kind == STYLE or (variant.target and not reason_against(variant))
    ]
    found.sort(key=lambda each: _rank(each[0], each[2]))
    queue = [_candidate(net, variant, batch, context) for _, net, variant, batch in found]
    queue = [
        replace(each, required=each.required or each.case in config.required) for each in queue
    ]
    if config.gatys:
        after = sum(_rank(kind, variant) < _GATYS_RANK for kind, _, variant, _ in found)
        queue.insert(after, _gatys(config, context))
    return queue


def nominal_seconds(config: BenchConfig) -> float:
    """Return the seconds that everything asked for takes on the nominal machine."""
    plan, total = Plan(config.seconds, bounded=False), 0.0
    for size in config.sizes:
        made: set[str] = set()
        for each in candidates(config, SizeContext(Path(), size, config.threads, Path())):
            total += plan.start(each.with_shared(made))
            made.add(each.shares)
    return total + plan.for_rounds


def table_order(config: BenchConfig, size: Size) -> list[Case]:
    """Return the cases of one size in the order of the tables, the optimisation last."""
    cases = [
        Case(net.origin.name, variant.runtime, variant.precision, size, batch)
        for batch in config.batches
        for _, net in _nets(config.net)
        for variant in config.variants
    ]
    return [*cases, gatys_case(size)]


def without_its_arithmetic(case: Case) -> str:
    """Return why a row would say little here, or "": without bf16, a CPU computes it in float32."""
    feature = {(v.runtime, v.precision): v.feature for v in VARIANTS}.get(
        (case.runtime, case.precision), ""
    )
    if feature and not any(feature in there for there in machine.cpu().features):
        return f"no {feature} on this processor"
    return ""


def _nets(net: StyleNet) -> Iterator[tuple[str, StyleNet]]:
    """Yield the style and its shipped mobile nets, with what each is to the schedule."""
    yield STYLE, net
    for number, name in enumerate(styles.small_of(net.origin.source)):
        yield f"{SMALL}{number or ''}", styles.find(name)


def _rank(kind: str, variant: Variant) -> int:
    ranks = {STYLE: variant.rank, SMALL: variant.small_rank}
    rank = ranks.get(kind)
    return _LAST if rank is None else rank


def _candidate(net: StyleNet, variant: Variant, batch: int, context: SizeContext) -> Candidate:
    case = Case(net.origin.name, variant.runtime, variant.precision, context.size, batch)
    rate = _RATE * (_OF_TORCH if variant.runtime == "torch" else 1.0)
    run = batch * sum(layer.products for layer in layers(net, context.size)) / rate
    prepare = partial(prepare_variant, net, variant, context, batch)
    if reason_against(variant):  # which costs nothing to report
        return Candidate(case, Cost(0.0), prepare, required=True)
    cost = Cost(_PROCESS + _conversion(variant), run, _RUNS_TO_WARM)
    if not variant.target:
        return Candidate(case, cost, prepare)
    # Other targets' graphs and calibrations are of forms of the net that are their own.
    graph = "graph" if target(variant.target).from_graph else variant.target
    tracing = _TRACE + (_CALIBRATION if variant.exported == "int8" else 0.0)
    return Candidate(
        case, cost, prepare, shares=f"{net.origin.source} {variant.exported} {batch} {graph}",
        sharing=tracing,
    )  # fmt: skip


def _gatys(config: BenchConfig, context: SizeContext) -> Candidate:
    height, width = context.size
    run = _ITERATION * height * width / (_RATE * _OF_TORCH)
    cost = Cost(_PROCESS + _LOSS_NETWORK, run, _ITERATIONS_TO_WARM, whole=False)
    return Candidate(gatys_case(context.size), cost, lambda _: prepare_gatys(context, config.vgg))


def _conversion(variant: Variant) -> float:
    """Return the seconds from the graph to the target's file, or of what torch does instead."""
    if variant.target:
        return target(variant.target).conversion_seconds
    return _COMPILING if variant.runtime.startswith("torch.compile") else 0.0
