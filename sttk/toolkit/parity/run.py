"""The parity run: a model is opened, compared with its reference, and reported on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from sttk.toolkit.core.convention import PLAIN
from sttk.toolkit.core.errors import NotRunError, UsageError
from sttk.toolkit.core.plan import DEFAULT, Plan
from sttk.toolkit.core.rungs import DIFFERENT, EXACT, FAITHFUL, SAME_STYLE
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.devices import DEFAULT as HOST
from sttk.toolkit.devices import device
from sttk.toolkit.devices.base import Device, Evidence
from sttk.toolkit.host.memory import check_fits
from sttk.toolkit.imaging.regimes import CONSTANT, NAMES, Regimes, Sample
from sttk.toolkit.io.choices import NONE, Choices
from sttk.toolkit.io.console import progress
from sttk.toolkit.opened.artifact import OpenArtifact
from sttk.toolkit.opened.checks import checks_of_file
from sttk.toolkit.parity.clamped import ClampedRunner
from sttk.toolkit.parity.compare import FLOAT_NET, HALF_WEIGHTS, REFERENCE, Comparison, Report, Row
from sttk.toolkit.parity.diagnosis import diagnosis
from sttk.toolkit.parity.judge import promise_of_precision
from sttk.toolkit.parity.observer import Observation, Observer
from sttk.toolkit.parity.reference import References
from sttk.toolkit.parity.reference_cache import ReferenceCache
from sttk.toolkit.parity.structure import witness
from sttk.toolkit.parity.style import StyleJudge
from sttk.toolkit.runtimes.base import Runner, Settings
from sttk.toolkit.runtimes.convention import of_choices
from sttk.toolkit.targets import required, static_checks, target
from sttk.toolkit.targets.base import FLOAT16

_HERE = device(HOST)
_SAVED_NOTE = f"the rows against {HALF_WEIGHTS} are of the saved weights in float32 arithmetic"
_OTHER_ENDS = (
    "its graph was not compared by value: its first and last weights are of another convention"
)
_SAVED_NOT_RUN = f"not run: {HALF_WEIGHTS} in float32 arithmetic"


@dataclasses.dataclass(frozen=True)
class ParityConfig:
    """The configuration of a parity run.

    Attributes:
        files: photographs, from which the inputs are made.
        net: the reference, in place of the one that a manifest names.
        promise: the rung to reach, in place of the artifact's own.
        sizes: the sizes to try, in place of those that the model promises.
        regimes: the names of the regimes to try.
        settings: the runtime's settings.
        style: the judge of style, or None for no comparison of styles.
        diagnose: whether to say what the error of a model that differs looks like.
    """

    files: Sequence[Path]
    net: StyleNet | None = None
    promise: str | None = None
    sizes: tuple[Size, ...] = ()
    regimes: tuple[str, ...] = NAMES
    settings: Settings | None = None
    style: StyleJudge | None = dataclasses.field(default_factory=StyleJudge)
    diagnose: bool = True

    @property
    def plain(self) -> bool:
        """Whether the artifact is judged by all that its own manifest promises."""
        own = (self.net, self.promise, self.settings)
        return own == (None, None, None) and not self.sizes and set(self.regimes) == set(NAMES)


class Judge:
    """A judge of models, which caches each reference's outputs for later artifacts."""

    def __init__(self, config: ParityConfig) -> None:
        self.config = config
        self._references = ReferenceCache()

    def artifact(self, opened: OpenArtifact, net: StyleNet, *observers: Observer) -> Report:
        """Judge an artifact against its checkpoint.

        If its runtime cannot run here (an engine without a GPU), the report says so, and is about
        the graph that the model was compiled from, provided that the artifact keeps it.

        Args:
            opened: the artifact.
            net: the net that the artifact must equal, loaded from its checkpoint; the
                configuration's own net takes precedence.
            observers: callbacks that are called for every row.

        Raises:
            ArtifactError: the manifest's quantisers are not this net's.
        """
        manifest = opened.manifest
        references = self._references.float_net(self.config.net or net)
        precision = manifest.target.precision
        promise = manifest.promise
        if manifest.quantization and self.config.net:
            promise = promise_of_precision(precision)
        elif manifest.quantization:
            references = self._references.quantized(references, manifest)
        known = target(manifest.target.name)
        with ExitStack() as stack:
            runner, not_run = opened.runner_or_graph(self.config.settings)
            stack.enter_context(runner)
            evidence = opened.device.evidence(known, precision, runner, self.config.settings)
            promise = known.promise_on(evidence.features, promise)
            rung = self._required_rung(promise, manifest.promise_in_half, evidence)
            trial = _Trial(runner, references, rung)
            others, note = self._saved_weights(opened, references)
            for other in others:
                stack.enter_context(other.runner)
            report = self._judge(str(opened.folder), [trial, *others], observers)
        return dataclasses.replace(
            report,
            notes=(*report.notes, *note),
            target=known.name,
            precision=precision,
            evidence=evidence,
            not_run=not_run,
            checks=(
                *static_checks(opened.model, manifest),
                *witness.of_artifact(opened, self.config.net or net, own=self.config.net is None),
            ),
        )

    def model(
        self,
        model: Path,
        precision: str,
        *observers: Observer,
        device: Device = _HERE,
        choices: Choices = NONE,
    ) -> Report:
        """Judge a bare model file, from any exporter, against ``config.net`` on a device.

        Most people clamp after the model, not in it. So its output is clamped to the net's range
        before the comparison, and the report says so if that changed anything.

        Args:
            model: the file.
            precision: the model's precision, which sets its promise.
            observers: callbacks that are called for every row.
            device: the device on which it runs.
            choices: the choices that say what the model takes and gives, if not RGB in 0..255.

        Raises:
            UsageError: there is no reference, or the file contradicts the choices.
        """
        if self.config.net is None:
            raise UsageError(f"{model} has no manifest", fix="pass --reference CHECKPOINT")
        low, high = self.config.net.contract.output_range
        promise, known = promise_of_precision(precision), required(model)
        opened = device.open_model(model, self.config.settings)
        evidence = device.evidence(known, precision, opened, self.config.settings)
        promise = known.promise_on(evidence.features, promise)
        promise = self._required_rung(promise, known.promise_in_half(precision), evidence)
        convention = choices.convention()
        with ClampedRunner(of_choices(opened, choices), low, high) as runner:
            trial = _Trial(runner, self._references.float_net(self.config.net), promise)
            report = self._judge(str(model), [trial], observers)
        report = dataclasses.replace(
            report,
            precision=precision,
            evidence=evidence,
            checks=checks_of_file(model),
        )
        if convention in (PLAIN, self.config.net.convention):
            held = witness.of_model(model, self.config.net)
            report = dataclasses.replace(report, checks=(*report.checks, *held))
        else:
            report = dataclasses.replace(report, notes=(*report.notes, _OTHER_ENDS))
        if not runner.changed:
            return report
        note = f"the model's output leaves {low:g}..{high:g}; it was clamped before it was compared"
        return dataclasses.replace(report, notes=(*report.notes, note))

    def _required_rung(self, promise: str, in_half: str, evidence: Evidence) -> str:
        """Return the rung to reach: the configured one, else the promise for this arithmetic.

        An exact promise is lowered to faithful where coarser arithmetic was asked for.
        """
        if self.config.promise:
            return self.config.promise
        settings = self.config.settings
        if settings and settings.inference_precision not in (None, "f32"):
            return FAITHFUL if promise == EXACT else promise
        return in_half if evidence.arithmetic == FLOAT16 else promise

    def _saved_weights(
        self, opened: OpenArtifact, references: References
    ) -> tuple[list[_Trial], list[str]]:
        """Return a trial of a float16 model in float32 arithmetic, and a note about it.

        This checks the saved graph and weights apart from float16 arithmetic, so a fault in the
        file shows however loose the promise is. Both lists are empty where it does not apply.
        """
        made = opened.manifest.target
        if made.precision != "fp16" or made.options.get("compress"):
            return [], []
        if opened.device.name != HOST:  # the file is the same everywhere
            return [], []
        if self.config.settings or self.config.promise == SAME_STYLE:
            return [], []
        try:
            runner = opened.float32_runner()
        except NotRunError as error:
            return [], [f"{_SAVED_NOT_RUN}: {error}"]
        if runner is None:
            return [], [f"{_SAVED_NOT_RUN}: its runtime has none"]
        plan = Plan.from_dict(opened.manifest.plan or {DEFAULT: made.precision})
        rounded = self._references.half_weights(references.net, plan)
        trial = _Trial(runner, rounded, EXACT, HALF_WEIGHTS)
        graph = opened.manifest.graph
        return [trial], [f"{_SAVED_NOTE}, of {graph} beside the model" if graph else _SAVED_NOTE]

    def _judge(self, name: str, trials: Sequence[_Trial], observers: Sequence[Observer]) -> Report:
        """Return the report of the first trial, with the rows of the others for each input."""
        trial = trials[0]
        inputs = inputs_of(name, trial.runner, trial.references.net, self.config)
        rows: list[Row] = []
        with progress(f"parity of {name}", total=len(inputs)) as update:
            for done, sample in enumerate(inputs, 1):
                # A constant picture is only checked for NaN, so one trial is enough.
                for each in trials[:1] if sample.regime == CONSTANT else trials:
                    for observation in each.of(sample, self.config.style):
                        rows.append(observation.row)
                        for observer in observers:
                            observer(observation)
                update(done, sample.name)
        source, runner = trial.references.net.origin.source, trial.runner
        guesses = (f"of the reference: {each}" for each in trial.references.net.origin.guesses)
        diagnosed = _diagnosed(trial, inputs, rows) if self.config.diagnose else ()
        notes = (*runner.notes, *guesses, *diagnosed)
        return Report(name, runner.name, source, trial.promise, tuple(rows), notes)


@dataclasses.dataclass(frozen=True)
class _Trial:
    """A runner, the reference that it must equal, and the rung that it has to reach."""

    runner: Runner
    references: References
    promise: str
    against: str = REFERENCE

    def of(self, sample: Sample, style: StyleJudge | None) -> Iterator[Observation]:
        """Yield one row, and for a quantised reference another: the style against the float net."""
        answer = self.references.of(sample.batch)
        comparison = Comparison(self.promise, style, self.against)
        row, output = comparison.row(self.runner, sample, answer)
        yield Observation(sample, output, answer, row)
        if answer.float_net and output is not None and row.judged:
            row = Comparison(SAME_STYLE, style, FLOAT_NET).verdict(sample, output, answer.float_net)
            yield Observation(sample, output, answer.float_net, row)


def _diagnosed(trial: _Trial, inputs: Iterable[Sample], rows: Sequence[Row]) -> Iterator[str]:
    """Yield what the error of a model that differs looks like, from one of the pictures."""
    wrong = {row.name: row.regime for row in rows if not row.passed and row.rung == DIFFERENT}
    if not wrong or trial.references.float_net:
        return
    named = next((name for name, regime in wrong.items() if regime == "photo"), next(iter(wrong)))
    sample = next(each for each in inputs if each.name == named)
    runner = trial.runner.inner if isinstance(trial.runner, ClampedRunner) else trial.runner
    net = trial.references.net
    answer = trial.references.of(sample.batch)
    if found := diagnosis(runner, sample.batch, answer, net.contract.output_range):
        yield f"{sample.name}: {found}"


def inputs_of(name: str, runner: Runner, net: StyleNet, config: ParityConfig) -> Regimes:
    """Return the inputs that a model is tried on.

    Raises:
        UsageError: the model does not take a size that was asked for, or none of the regimes.
    """
    takes = runner.takes
    if not all(takes.takes(size) for size in config.sizes):
        raise UsageError(f"{name} takes {takes} only")
    least = net.contract.smallest_side
    inputs = Regimes(config.files, takes, config.sizes, config.regimes, least)
    if min(map(min, inputs.every_size)) < least:
        raise UsageError(f"{name}: the reference takes no side under {least} pixels")
    for size in inputs.every_size:
        check_fits(*size)
    if not len(inputs):
        raise UsageError(f"{name} takes {takes}: none of {', '.join(config.regimes)} is for it")
    return inputs
