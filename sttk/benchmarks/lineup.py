"""The queue of a benchmark's rows: what matters first, and what each of them is likely to take."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sttk.benchmarks.budget import Cost, Plan
from sttk.benchmarks.config import BenchConfig
from sttk.benchmarks.entrants import Enter, Setting, bytes_of, gatys_case, layers, of_gatys, of_way
from sttk.benchmarks.rows import GATYS, Case
from sttk.benchmarks.ways import Way, reason_against
from sttk.toolkit import styles
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.host import machine

STYLE, SMALL = "style", "small"
# The reference, what the style replaces, and then what people run: the first rows of a budget. The
# rest follows as ``sttk.benchmarks.ways`` has it, of the style and then of its mobile nets.
FIRST = (
    (STYLE, "torch fp32"),
    (GATYS, ""),
    (STYLE, "tensorrt fp16"),
    (STYLE, "torch cuda fp16"),
    (STYLE, "coreml fp16"),
    (STYLE, "onnxruntime fp32"),
    (STYLE, "openvino fp32"),
    (SMALL, "openvino fp32"),
    (STYLE, "openvino bf16"),
    (SMALL, "openvino bf16"),
    (SMALL, "onnxruntime fp32"),
    (STYLE, "openvino int8"),
    (SMALL, "openvino int8"),
    (STYLE, "onnxruntime int8"),
    (STYLE, "openvino int8+bf16"),
    (SMALL, "openvino int8+bf16"),
)

# Seconds of the nominal machine: two cores of a server of 2021 without VNNI, with nothing else to
# do. One of AVX2 alone took 0.9 to 1.2 of it; ``budget.Plan`` learns what another takes.
_RATE = 60e9  # multiplications a second
_OF_TORCH = 0.5  # of that rate, what torch reaches
_PROCESS = 3.0  # to start one and to import its runtime
_LOSS_NETWORK = 4.0  # to load it, and to have it read the painting
_TRACE = 8.0  # a net to an ONNX graph, which several targets share
_CALIBRATION = 6.0
_CONVERSION = {"onnx": 0.0, "openvino": 0.5, "ncnn": 8.0, "litert": 6.0, "executorch": 25.0}
_OTHER_CONVERSION = 20.0
_THROUGH_ONNX = ("onnx", "openvino", "trt", "web", "litert")
_COMPILING = 30.0  # torch.compile's first run
# The first run, those until it is steady, those that show what its results are, with pauses.
_RUNS_TO_WARM = 10
# An iteration runs VGG-19 forwards and backwards: three times the net of 32, 64 and 128 channels.
_ITERATION = 120e9 / 512**2
_ITERATIONS_TO_WARM = 5


@dataclass(frozen=True)
class Candidate:
    """A case that may take part.

    Attributes:
        case: what it is.
        cost: estimated, without what it shares.
        shares: what the first of several rows makes for all of them, or "", such as a graph.
        sharing: nominal seconds to make that.
        enter: makes what its process needs; it may take most of the cost.
        required: whether it is offered whatever a plan says, because it was asked for or costs
            nothing.
    """

    case: Case
    cost: Cost
    enter: Enter
    required: bool = False
    shares: str = ""
    sharing: float = 0.0

    def with_shared(self, made: Collection[str]) -> Cost:
        """Its cost where some of what rows share has been made already."""
        seconds = 0.0 if self.shares in made else self.sharing
        return replace(self.cost, prepare=self.cost.prepare + seconds)

    @property
    def bytes(self) -> int:
        """Bytes of memory that its process will take, about."""
        return bytes_of(self.case)


def candidates(config: BenchConfig, setting: Setting) -> list[Candidate]:
    """Return the candidates of one size, in the order in which they are to be started."""
    found = [
        (kind, net, way, batch)
        for batch in config.batches
        for kind, net in _nets(config.net)
        for way in config.ways
        if kind == STYLE or (way.target and not reason_against(way))
    ]
    found.sort(key=lambda each: _rank(each[0], str(each[2])))
    queue = [_candidate(net, way, batch, setting) for _, net, way, batch in found]
    queue = [
        replace(each, required=each.required or each.case in config.required) for each in queue
    ]
    if config.gatys:
        after = sum(_rank(kind, str(way)) < FIRST.index((GATYS, "")) for kind, _, way, _ in found)
        queue.insert(after, _gatys(config, setting))
    return queue


def nominal_seconds(config: BenchConfig) -> float:
    """What all that is asked for takes on the nominal machine."""
    plan, total = Plan(config.seconds, bounded=False), 0.0
    for size in config.sizes:
        made: set[str] = set()
        for each in candidates(config, Setting(Path(), size, config.threads, Path())):
            total += plan.start(each.with_shared(made))
            made.add(each.shares)
    return total + plan.for_rounds


def table_order(config: BenchConfig, size: Size) -> list[Case]:
    """The cases of one size in the order of the tables, the optimisation last."""
    cases = [
        Case(net.origin.name, way.runtime, way.precision, size, batch)
        for batch in config.batches
        for _, net in _nets(config.net)
        for way in config.ways
    ]
    return [*cases, gatys_case(size)]


def without_its_arithmetic(case: Case) -> str:
    """Why a row would say little here: a processor without bf16 computes it in float32, or ""."""
    wanted = "bf16" in case.precision and case.runtime == "openvino"
    if wanted and not any("bf16" in feature for feature in machine.cpu().features):
        return "no bf16 on this processor"
    return ""


def _nets(net: StyleNet) -> Iterator[tuple[str, StyleNet]]:
    """The style, and its shipped mobile nets, of which the first one matters first."""
    yield STYLE, net
    for number, name in enumerate(styles.small_of(net.origin.source)):
        yield f"{SMALL}{number or ''}", styles.find(name)


def _rank(kind: str, way: str) -> int:
    return FIRST.index((kind, way)) if (kind, way) in FIRST else len(FIRST)


def _candidate(net: StyleNet, way: Way, batch: int, setting: Setting) -> Candidate:
    case = Case(net.origin.name, way.runtime, way.precision, setting.size, batch)
    rate = _RATE * (_OF_TORCH if way.runtime == "torch" else 1.0)
    run = batch * sum(layer.products for layer in layers(net, setting.size)) / rate
    enter = partial(of_way, net, way, setting, batch)
    if reason_against(way):  # which is soon told
        return Candidate(case, Cost(0.0), enter, required=True)
    cost = Cost(_PROCESS + _conversion(way), run, _RUNS_TO_WARM)
    if not way.target:
        return Candidate(case, cost, enter)
    # Other targets' graphs and calibrations are of forms of the net that are their own.
    graph = "onnx" if way.target in _THROUGH_ONNX else way.target
    tracing = _TRACE + (_CALIBRATION if way.exported == "int8" else 0.0)
    return Candidate(
        case, cost, enter, shares=f"{net.origin.source} {way.exported} {batch} {graph}",
        sharing=tracing,
    )  # fmt: skip


def _gatys(config: BenchConfig, setting: Setting) -> Candidate:
    height, width = setting.size
    run = _ITERATION * height * width / (_RATE * _OF_TORCH)
    cost = Cost(_PROCESS + _LOSS_NETWORK, run, _ITERATIONS_TO_WARM, whole=False)
    return Candidate(gatys_case(setting.size), cost, lambda _: of_gatys(setting, config.vgg))


def _conversion(way: Way) -> float:
    """From the graph to the target's own file, or what torch does in its place."""
    if way.target:
        return _CONVERSION.get(way.target, _OTHER_CONVERSION)
    return _COMPILING if way.runtime.startswith("torch.compile") else 0.0
