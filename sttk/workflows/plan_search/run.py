"""The run of a plan search: plans are emulated in torch, and confirmed on exported models.

The search uses costs that need no device: bytes moved, or, where time is to be minimised,
multiplications times their width. The cheapest plan is then chosen among those that were exported,
by the bytes or by the measured time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sttk.exporters import check, exporter
from sttk.exporters.base import ExportRequest
from sttk.exporters.options import Options
from sttk.exporters.prepare import Prepared, carriers, prepare
from sttk.toolkit import targets
from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes, Size, text
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.devices import DEFAULT, device
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.precision.blocks import Block, blocks_of
from sttk.toolkit.precision.cast import CARRIERS, cast_net
from sttk.toolkit.precision.cost import Costs, layers_of
from sttk.workflows.plan_search.measure import Measured, measure
from sttk.workflows.plan_search.result import Candidate, Cost, SearchResult, price_of
from sttk.workflows.plan_search.search import High, Search, Tried
from sttk.workflows.plan_search.trial import Inputs, each, emulated, inputs_for

# Number of plans that are exported and measured: enough to show a front, few enough to wait for.
_MOST = 8
_HALF_IN_FLOAT = (
    "ONNX Runtime's CPU computes float16 in float32 where it can: the emulated figures, rounded "
    "after each operation, are the lower bound"
)


@dataclass(frozen=True)
class SearchConfig:
    """The configuration of a search.

    Attributes:
        net: the style net.
        target: the target that the plan is for.
        low, high: the two precisions that a block can have.
        floor: the lowest PSNR on the worst input that is accepted, in dB.
        size: (height, width) of the pictures.
        photos: the photographs that plans are tried on.
        calibration: the pictures to calibrate on; if empty, those of the package.
        cost: the cost to minimise.
        options: the exporter's options.
        devices: the names of the devices on which exported plans have to hold the floor.
    """

    net: StyleNet
    target: str
    low: Precision
    high: Precision
    floor: float
    size: Size
    photos: tuple[Path, ...]
    calibration: tuple[Path, ...] = ()
    cost: Cost = "bytes"
    options: Options = field(default_factory=Options)
    devices: tuple[str, ...] = (DEFAULT,)

    @property
    def in_half(self) -> bool:
        """Whether a device other than this host computes blocks of the low precision in float16."""
        elsewhere = any(name != DEFAULT for name in self.devices)
        return elsewhere and self.low in targets.target(self.target).half_precisions

    def request(self, plan: Plan) -> ExportRequest[Options]:
        """Return the export request for a plan."""
        shapes = Shapes.fixed(*self.size)
        return ExportRequest(self.net, plan, shapes, self.options, self.calibration)


def search(config: SearchConfig, on_progress: Callable[[str], None]) -> SearchResult:
    """Search, export the plans of the Pareto front, and measure them.

    Raises:
        UsageError: the target does not have these precisions, or every input is ill-conditioned.
        NotRunError: the cost is time, and the model's runtime cannot be timed here.
        ExportError: the target cannot be exported.
    """
    bench = _Bench(config)
    for precision in (config.low, config.high):
        check(config.target, exporter(config.target), config.request(Plan(precision)))
    on_progress("reference")
    inputs = inputs_for(config.net, config.photos, config.size)
    on_progress("first export")  # so that a model that cannot be exported or run fails early
    uniform = [config.request(Plan(config.low))]
    (first,) = measure(config.target, uniform, inputs, lambda _: None, config.devices)
    _check_timed(config, first)
    searched = bench.searched(
        inputs, lambda plan: on_progress(f"tried: {len(plan.high)} {config.high}")
    )
    searched.run(config.floor)
    shown = _thinned(searched.front(), config.floor)
    plans = [bench.plan(tried.high, searched.every) for tried in shown]
    shown, plans = _that_run(shown, plans, config)
    measured = measure(
        config.target,
        [config.request(plan) for plan in plans],
        inputs,
        lambda index: on_progress(f"measured: plan {index + 1} of {len(plans)}"),
        config.devices,
    )
    candidates = tuple(
        Candidate(plan, _names(bench.blocks, tried.high), bench.costs.bytes(plan), tried.score,
                  result.score, result.milliseconds)
        for plan, tried, result in zip(plans, shown, measured, strict=True)
    )  # fmt: skip
    return SearchResult(
        style=config.net.origin.name,
        target=config.target,
        low=config.low,
        high=config.high,
        floor=config.floor,
        cost=config.cost,
        size=text(config.size),
        candidates=tuple(sorted(candidates, key=lambda one: price_of(one, config.cost))),
        alone={block.name: value for block, value in searched.alone.items()},
        tried=len(searched.tried),
        runtime=first.runtime,
        devices=config.devices,
        notes=_notes(config, inputs, first),
    )


class _Bench:
    """The plans of one net, with their cost, and emulated as the target computes them."""

    def __init__(self, config: SearchConfig) -> None:
        self._config, self._able = config, exporter(config.target)
        self._carriers = CARRIERS if config.in_half else carriers(self._able)
        self.blocks = blocks_of(config.net)

    @property
    def costs(self) -> Costs:
        prepared = self._prepared(Plan(self._config.low))
        quantised = prepared.calibration.inputs if prepared.calibration else {}
        layers = layers_of(self._config.net, self._config.size)
        return Costs(layers, set(quantised), self._carriers)

    def plan(self, high: High, every: High = frozenset()) -> Plan:
        """Return the plan for a set of high blocks.

        If that is ``every`` block, it is the plan that has the high precision throughout.
        """
        if high and high == every:
            return Plan(self._config.high)
        entries = (block.entries(self._config.high) for block in high)
        blocks = {name: precision for entry in entries for name, precision in entry.items()}
        return Plan.of_blocks(self._config.low, blocks)

    def searched(self, inputs: Inputs, on_progress: Callable[[Tried], None]) -> Search:
        """Return a search that is ready to run."""
        costs, single = self.costs, dict(each(inputs))
        price = costs.work if self._config.cost == "time" else costs.bytes
        return Search(
            self.blocks,
            cost=lambda high: price(self.plan(high)),
            score=lambda high: inputs.score(self._run(high)),
            score_on=lambda high, name: single[name].score(self._run(high)).worst,
            on_progress=on_progress,
        )

    def _run(self, high: High) -> Callable[[Floats], Floats]:
        plan = self.plan(high)
        net = self._prepared(plan).request.net
        return emulated(cast_net(net, plan, self._carriers))

    def _prepared(self, plan: Plan) -> Prepared:
        return prepare(self._config.request(plan), self._able)


def _check_timed(config: SearchConfig, first: Measured) -> None:
    if config.cost == "time" and first.milliseconds is None:
        raise NotRunError(
            f"{config.target} cannot be timed here, in {first.runtime}", fix="pass --cost bytes"
        )


def _that_run(
    shown: list[Tried], plans: list[Plan], config: SearchConfig
) -> tuple[list[Tried], list[Plan]]:
    """Leave out plans of which a device runs no models, such as float32 ones on a phone's GPU."""
    known = targets.target(config.target)
    kept = [
        (tried, plan)
        for tried, plan in zip(shown, plans, strict=True)
        if all(device(name).judges(known, plan.default) for name in config.devices)
    ]
    return [tried for tried, _ in kept], [plan for _, plan in kept]


def _thinned(front: list[Tried], floor: float) -> list[Tried]:
    """Return the front's ends, the first plan that holds the floor with neighbours, and others."""
    holds = next((i for i, plan in enumerate(front) if plan.score.worst >= floor), len(front) - 1)
    kept = {0, len(front) - 1, *range(max(0, holds - 1), min(len(front), holds + 3))}
    steps = range(1, _MOST - len(kept) + 1)
    kept |= {round(step * (len(front) - 1) / (len(steps) + 1)) for step in steps}
    return [front[index] for index in sorted(kept)]


def _names(blocks: Sequence[Block], high: High) -> tuple[str, ...]:
    return tuple(block.name for block in blocks if block in high)


def _notes(config: SearchConfig, inputs: Inputs, first: Measured) -> tuple[str, ...]:
    notes = list(first.notes)
    halves = first.runtime == "onnxruntime" and "fp16" in (config.low, config.high)
    if halves and config.devices == (DEFAULT,):
        notes.append(_HALF_IN_FLOAT)
    if inputs.left_out:
        notes.append(f"ill-conditioned, left out: {', '.join(inputs.left_out)}")
    return tuple(notes)
