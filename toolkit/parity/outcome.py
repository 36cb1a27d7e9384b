"""What came of each model that was to be judged, and what the whole run makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.doctor import missing
from toolkit.errors import NotRunError, ParityError, SttkError
from toolkit.parity.bisect.bisection import Bisection
from toolkit.parity.compare import Report
from toolkit.parity.pictures import Exhibit


@dataclass(frozen=True)
class Judged:
    """A model with a verdict.

    Attributes:
        report: the verdict.
        target: of the model, such as ``onnx``, or "".
        exhibits: one of each row of the report, in order, or none at all.
        bisection: where it goes wrong, if that was asked for.
    """

    report: Report
    target: str = ""
    exhibits: tuple[Exhibit, ...] = ()
    bisection: Bisection | None = None

    @property
    def candidate(self) -> str:
        """The model, for people."""
        return self.report.candidate

    @property
    def passed(self) -> bool:
        """Whether it keeps its promise."""
        return self.report.passed

    @property
    def exit_code(self) -> int:
        """What this one alone would end the command with."""
        return 0 if self.passed else ParityError.exit_code

    @property
    def not_run(self) -> str:
        """Why its runtime could not run here, or ""."""
        return self.report.not_run

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        found = {"bisection": self.bisection.to_dict()} if self.bisection else {}
        return {**self.report.to_dict(), **found}


@dataclass(frozen=True)
class Unjudged:
    """A model without a verdict; the others still get theirs.

    Attributes:
        candidate: the model, for people.
        error: why there is none.
        target: of the model, or "".
        wanted: whether somebody asked for it; what sttk tries of itself may be left out.
    """

    candidate: str
    error: SttkError
    target: str = ""
    wanted: bool = True

    @property
    def passed(self) -> bool:
        """Nothing is proven; that is no failure where nobody asked."""
        return not self.wanted

    @property
    def exit_code(self) -> int:
        """What this one alone would end the command with."""
        return self.error.exit_code if self.wanted else 0

    @property
    def not_run(self) -> str:
        """Why it could not run here, or ""."""
        return f"not run: {self.error}" if isinstance(self.error, NotRunError) else ""

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values; ``passed`` is null where there was nothing to fail."""
        passed = False if self.wanted else None
        return {"candidate": self.candidate, "error": str(self.error), "passed": passed}


Outcome = Judged | Unjudged


def unmet(targets: Sequence[str], outcomes: Sequence[Outcome]) -> Iterator[Unjudged]:
    """Each target that was required and has no model that ran here, or has one that did not.

    A model that ends the command with an error of its own is not said twice.
    """
    for target in dict.fromkeys(targets):
        name = f"--require {target}"
        found = [outcome for outcome in outcomes if outcome.target == target]
        if not found:
            yield Unjudged(name, _none_of(target), target)
        for outcome in found:
            if outcome.not_run and (isinstance(outcome, Judged) or not outcome.wanted):
                why = f"{name}: {outcome.candidate} {outcome.not_run}"
                yield Unjudged(name, NotRunError(why), target)


def _none_of(target: str) -> NotRunError:
    """There is no such model, perhaps because none can be made here."""
    lacking = missing([target])
    return NotRunError(
        f"--require {target}: no such model was judged",
        fix=lacking[0] if lacking else f"sttk export --target {target}",
    )


def conclude(outcomes: Sequence[Outcome]) -> None:
    """Exit code 0 if all is well, else that of the gravest outcome.

    A broken promise (1) is graver than a file that cannot be read (2), and that than a model that
    could not run (3): who forgives the last must not overlook the first.

    Raises:
        SttkError: the only bad outcome's own error, or one that counts them.
    """
    bad = [outcome for outcome in outcomes if not outcome.passed]
    if not bad:
        return
    if len(bad) == 1 and isinstance(bad[0], Unjudged):
        raise bad[0].error
    code = min(outcome.exit_code for outcome in bad)
    what = "not run" if code == NotRunError.exit_code else "parity fails"
    names = ", ".join(outcome.candidate for outcome in bad)
    error = ParityError(f"{what} for {len(bad)} of {len(outcomes)}: {names}")
    error.exit_code = code
    raise error
