"""Parity: a candidate runtime against the reference, input by input."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sttk.toolkit.core.errors import NotRunError, RunError
from sttk.toolkit.core.rungs import DIFFERENT, EXACT, RUNGS, SAME_STYLE, keeps
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.imaging.regimes import CONSTANT, Sample
from sttk.toolkit.parity import judge
from sttk.toolkit.parity.metrics import Difference, Regions, regions
from sttk.toolkit.parity.reference import ReferenceOutput
from sttk.toolkit.parity.style import StyleDifference, StyleJudge
from sttk.toolkit.runtimes.base import Check, Runner

_NOT_FINITE = "NaN or infinity, where the reference has none"
# What a row is judged against: the reference; of a float16 model, the reference with the weights
# that are saved, to which the model in float32 arithmetic must be equal; of a quantised one, which
# has its quantisers in the reference, the net without them.
REFERENCE, HALF_WEIGHTS, FLOAT_NET = "reference", "float16 weights", "float net"
_NOTHING = Difference(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class Row:
    """One input's result.

    Attributes:
        name: of the input.
        regime: the kind of input.
        rung: the verdict, one of :mod:`sttk.toolkit.parity.judge`.
        passed: whether that keeps the promise.
        found: what the candidate is off by, against the reference in float64.
        border, inside: the same, of the outer 16 pixels and of the rest.
        floor: what float32 costs on this input, or None where the verdict needed none.
        noise: the net's answer to half a grey level of noise, or None where it was not asked for.
        style: content and style loss and SSIM, or None where they were not asked for.
        against: :data:`REFERENCE`, :data:`HALF_WEIGHTS` or :data:`FLOAT_NET`.
        note: why it failed where the figures cannot say.
    """

    name: str
    regime: str
    rung: str
    passed: bool
    found: Difference = _NOTHING
    border: Difference = _NOTHING
    inside: Difference = _NOTHING
    floor: Difference | None = None
    noise: Difference | None = None
    style: StyleDifference | None = None
    against: str = REFERENCE
    note: str = ""

    @property
    def judged(self) -> bool:
        """Whether the ladder has a verdict."""
        return self.rung in RUNGS


@dataclass(frozen=True)
class Report:
    """A candidate's results.

    Attributes:
        candidate: what was judged, for people.
        runtime: which runtime ran it.
        reference: the checkpoint it was held against.
        promise: the rung that it is held to.
        rows: at least one.
        notes: what else a reader must know.
        checks: what was found without running the model.
        target: of the artifact; "" for a bare model.
        not_run: why the model itself could not be run; the rows are then those of the graph that
            it was compiled from. "" where it ran.
    """

    candidate: str
    runtime: str
    reference: str
    promise: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    target: str = ""
    not_run: str = ""

    @property
    def passed(self) -> bool:
        """The model itself was judged, nothing failed, checks included, and no style is open."""
        judged = any(row.judged for row in self.rows if row.against == REFERENCE)
        return judged and not self.broken and not self.style_not_run

    @property
    def broken(self) -> bool:
        """An input or a check failed."""
        kept = all(row.passed for row in self.rows)
        return not (kept and all(check.passed for check in self.checks))

    @property
    def style_not_run(self) -> str:
        """Why a style that was promised was not compared; "" where all that were are."""
        return next((row.note for row in self.rows if row.rung == judge.NOT_RUN), "")

    @property
    def worst(self) -> Row:
        """The row to look at: a failed one if there is one, else the one furthest off."""
        judged = [row for row in self.rows if row.judged] or list(self.rows)
        return min(judged, key=lambda row: (row.passed, -RUNGS.index(row.rung)
                                            if row.judged else 0, row.found.psnr))  # fmt: skip

    def count(self, rung: str) -> int:
        """Rows with this verdict."""
        return sum(row.rung == rung for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {**asdict(self), "passed": self.passed}


@dataclass(frozen=True)
class Comparison:
    """Judges one candidate's outputs.

    Attributes:
        promise: the rung that it is held to.
        style: asked where arithmetic alone finds no rung; without it, that is ``different``.
        against: see :class:`Row`.
    """

    promise: str
    style: StyleJudge | None = None
    against: str = REFERENCE

    def row(
        self, candidate: Runner, sample: Sample, answer: ReferenceOutput
    ) -> tuple[Row, Floats | None]:
        """The verdict on one input, and the output itself, if there is one."""
        try:
            output = candidate.run(sample.batch)
        except RunError as error:
            return self._failed(sample, str(error)), None
        return self.verdict(sample, output, answer), output

    def verdict(self, sample: Sample, output: Floats, answer: ReferenceOutput) -> Row:
        """The verdict on an output, (B, 3, H', W') in 0..255."""
        if sample.regime == CONSTANT:
            return self._finite(sample, output, answer)
        if output.shape != answer.exact.shape:
            return self._failed(sample, f"shape {output.shape}, not {answer.exact.shape}")
        if not np.isfinite(output).all() and np.isfinite(answer.exact).all():
            return self._failed(sample, _NOT_FINITE)
        return self._judged(sample, output, answer, regions(output, answer.exact))

    def _finite(self, sample: Sample, output: Floats, answer: ReferenceOutput) -> Row:
        if not np.isfinite(output).all() and np.isfinite(answer.single).all():
            return self._failed(sample, _NOT_FINITE)
        return Row(sample.name, sample.regime, judge.FINITE, True, against=self.against)

    def _judged(
        self, sample: Sample, output: Floats, answer: ReferenceOutput, found: Regions
    ) -> Row:
        rung, style, note = self._rung(sample, output, answer, found)
        return Row(
            sample.name,
            sample.regime,
            rung,
            keeps(rung, self.promise),
            found.whole,
            found.border,
            found.inside,
            floor=answer.floor.whole if "floor" in vars(answer) else None,
            noise=answer.noise.whole if rung != EXACT else None,
            style=style,
            against=self.against,
            note=note,
        )

    def _rung(
        self, sample: Sample, output: Floats, answer: ReferenceOutput, found: Regions
    ) -> tuple[str, StyleDifference | None, str]:
        if judge.is_sure(found):
            return EXACT, None, ""
        if not judge.is_conditioned(answer, self.promise):
            return judge.ILL_CONDITIONED, None, ""
        rung = judge.rung_of(found, answer)
        if rung != DIFFERENT or self.style is None:
            return rung, None, ""
        try:
            style = self.style.compare(output, answer.exact, sample.batch)
        except NotRunError as error:
            promised = self.promise == SAME_STYLE
            return (judge.NOT_RUN if promised else rung), None, f"style not run: {error}"
        return (SAME_STYLE if style.same else DIFFERENT), style, ""

    def _failed(self, sample: Sample, note: str) -> Row:
        name, regime = sample.name, sample.regime
        return Row(name, regime, DIFFERENT, False, against=self.against, note=note)
