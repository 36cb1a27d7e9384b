"""The comparison of a candidate runtime with the reference, input by input."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sttk.toolkit.core.errors import NotRunError, RunError
from sttk.toolkit.core.rungs import DIFFERENT, EXACT, RUNGS, SAME_STYLE, keeps
from sttk.toolkit.devices import DEFAULT as HOST
from sttk.toolkit.devices.base import Evidence
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.imaging.regimes import CONSTANT, Sample
from sttk.toolkit.parity import judge
from sttk.toolkit.parity.metrics import Difference, Regions, regions
from sttk.toolkit.parity.reference import ReferenceOutput
from sttk.toolkit.parity.style import StyleDifference, StyleJudge
from sttk.toolkit.runtimes.base import Check, Runner

_NOT_FINITE = "NaN or infinity, where the reference has none"
# What a row is judged against. REFERENCE is the usual case. HALF_WEIGHTS is for a float16 model:
# the reference with the weights as saved, which the model must equal in float32 arithmetic.
# FLOAT_NET is for a quantised model, whose reference contains the quantisers: the net without them.
REFERENCE, HALF_WEIGHTS, FLOAT_NET = "reference", "float16 weights", "float net"
_NOT_COMPUTED = Difference(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class Row:
    """The result for one input.

    Attributes:
        name: the input's name.
        regime: the kind of input.
        rung: the verdict, one of those in :mod:`sttk.toolkit.parity.judge`.
        passed: whether the verdict keeps the promise.
        found: the candidate's error against the reference in float64.
        border, inside: the error within the outer 16 pixels, and in the rest of the picture.
        floor: the error of float32 arithmetic on this input, or None where it was not needed.
        noise: the net's response to half a grey level of noise, or None where it was not computed.
        style: content and style loss and SSIM, or None where they were not computed.
        against: :data:`REFERENCE`, :data:`HALF_WEIGHTS` or :data:`FLOAT_NET`.
        note: the reason for a failure that the figures do not show.
    """

    name: str
    regime: str
    rung: str
    passed: bool
    found: Difference = _NOT_COMPUTED
    border: Difference = _NOT_COMPUTED
    inside: Difference = _NOT_COMPUTED
    floor: Difference | None = None
    noise: Difference | None = None
    style: StyleDifference | None = None
    against: str = REFERENCE
    note: str = ""

    @property
    def judged(self) -> bool:
        """Whether the verdict is a rung of the ladder."""
        return self.rung in RUNGS


@dataclass(frozen=True)
class Report:
    """The results of one candidate.

    Attributes:
        candidate: the model's name in reports.
        runtime: the runtime that ran it.
        reference: the checkpoint that it was compared with.
        promise: the rung that it has to reach.
        rows: one row or more for each input; never empty.
        notes: further facts that a reader must know.
        checks: the results of checks that do not run the model.
        target: the artifact's target; "" for a bare model.
        precision: the model's precision.
        evidence: the device and the arithmetic in which it ran, or None.
        not_run: the reason why the model itself could not be run; the rows are then those of the
            graph that it was compiled from. "" where it ran.
    """

    candidate: str
    runtime: str
    reference: str
    promise: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    target: str = ""
    precision: str = "fp32"
    evidence: Evidence | None = None
    not_run: str = ""

    @property
    def name(self) -> str:
        """The model's name, with the device's unless that is this host."""
        return named(self.candidate, self.evidence.device if self.evidence else HOST)

    @property
    def passed(self) -> bool:
        """Whether the model was judged, no input or check failed, and no style check is missing."""
        judged = any(row.judged for row in self.rows if row.against == REFERENCE)
        return judged and not self.broken and not self.style_not_run

    @property
    def broken(self) -> bool:
        """Whether an input or a check failed."""
        kept = all(row.passed for row in self.rows)
        return not (kept and all(check.passed for check in self.checks))

    @property
    def style_not_run(self) -> str:
        """Why a promised style could not be compared; "" if none is missing."""
        return next((row.note for row in self.rows if row.rung == judge.NOT_RUN), "")

    @property
    def worst(self) -> Row:
        """The row to look at: a failed one if there is one, else the one with the largest error."""
        judged = [row for row in self.rows if row.judged] or list(self.rows)
        return min(judged, key=lambda row: (row.passed, -RUNGS.index(row.rung)
                                            if row.judged else 0, row.found.psnr))  # fmt: skip

    def count(self, rung: str) -> int:
        """Return the number of rows with this verdict."""
        return sum(row.rung == rung for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {**asdict(self), "passed": self.passed}


def named(model: str, device: str) -> str:
    """Return a model's name in reports: with the device's, unless that is this host."""
    return model if device == HOST else f"{model} on {device}"


@dataclass(frozen=True)
class Comparison:
    """A judge of one candidate's outputs.

    Attributes:
        promise: the rung that the candidate has to reach.
        style: the judge of style, used where the figures alone give no rung; if it is None, such
            an output is ``different``.
        against: see :class:`Row`.
    """

    promise: str
    style: StyleJudge | None = None
    against: str = REFERENCE

    def row(
        self, candidate: Runner, sample: Sample, answer: ReferenceOutput
    ) -> tuple[Row, Floats | None]:
        """Run one input; return the verdict, and the output itself if there is one."""
        try:
            output = candidate.run(sample.batch)
        except RunError as error:
            return self._failed(sample, str(error)), None
        return self.verdict(sample, output, answer), output

    def verdict(self, sample: Sample, output: Floats, answer: ReferenceOutput) -> Row:
        """Return the verdict on an output, (B, 3, H', W') in 0..255."""
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
