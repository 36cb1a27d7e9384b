"""The outcome of each model in a parity run, and the exit code of the whole run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sttk.toolkit import targets
from sttk.toolkit.core.errors import NotRunError, ParityError, SttkError
from sttk.toolkit.devices import DEFAULT as HOST
from sttk.toolkit.devices import device
from sttk.toolkit.parity.bisect.bisection import Bisection
from sttk.toolkit.parity.compare import Report, named
from sttk.toolkit.parity.pictures import Exhibit
from sttk.toolkit.targets.abilities import missing


@dataclass(frozen=True)
class Judged:
    """A model with a verdict.

    Attributes:
        report: the verdict.
        target: the model's target, such as ``onnx``, or "".
        exhibits: the pictures of each row of the report, in order, or none at all.
        bisection: the block at which it goes wrong, if a bisection was requested.
        needed: whether its own runtime must run here; if not, the graph that it was compiled from
            may be judged in its place.
    """

    report: Report
    target: str = ""
    exhibits: tuple[Exhibit, ...] = ()
    bisection: Bisection | None = None
    needed: bool = False

    @property
    def device(self) -> str:
        """The name of the device that it was judged on."""
        return self.report.evidence.device if self.report.evidence else HOST

    @property
    def model(self) -> str:
        """The model's name, without the device's."""
        return self.report.candidate

    @property
    def candidate(self) -> str:
        """The model's name in reports, with the device's unless that is this host."""
        return self.report.name

    @property
    def passed(self) -> bool:
        """Whether it keeps its promise, and ran where it had to."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """The exit code that this outcome alone would give the command."""
        if self.report.broken:
            return ParityError.exit_code
        if self.report.style_not_run or (self.needed and self.not_run):
            return NotRunError.exit_code
        return 0 if self.report.passed else ParityError.exit_code

    @property
    def not_run(self) -> str:
        """Why its runtime, or the style comparison, could not run here, or ""."""
        return self.report.not_run or self.report.style_not_run

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as plain JSON values."""
        found = {"bisection": self.bisection.to_dict()} if self.bisection else {}
        return {**self.report.to_dict(), **found}


@dataclass(frozen=True)
class Unjudged:
    """A model that could not be judged; the others still are.

    Attributes:
        model: the model's name, without the device's.
        error: the reason why there is no verdict.
        target: the model's target, or "".
        needed: whether the user asked for it; models that sttk tries by default may be missing.
        device: the name of the device on which it was to be judged.
    """

    model: str
    error: SttkError
    target: str = ""
    needed: bool = True
    device: str = HOST

    @property
    def candidate(self) -> str:
        """The model's name in reports, with the device's unless that is this host."""
        return named(self.model, self.device)

    @property
    def passed(self) -> bool:
        """Whether it may be missing: only a model that was asked for fails without a verdict."""
        return not self.needed

    @property
    def exit_code(self) -> int:
        """The exit code that this outcome alone would give the command."""
        return self.error.exit_code if self.needed else 0

    @property
    def not_run(self) -> str:
        """Why it could not run here, or ""."""
        return f"not run: {self.error}" if isinstance(self.error, NotRunError) else ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; ``passed`` is null where the model was not asked for."""
        passed = False if self.needed else None
        return {
            "candidate": self.candidate,
            "device": self.device,
            "error": str(self.error),
            "passed": passed,
        }


Outcome = Judged | Unjudged


def required(
    names: Collection[str], outcomes: Sequence[Outcome], exported: Collection[str]
) -> list[Outcome]:
    """Return the outcomes with those of the named targets marked as needed.

    A required target without any outcome gets an :class:`Unjudged` of its own.

    Args:
        names: the targets that are required.
        outcomes: what became of the models.
        exported: the targets that sttk has an exporter to.
    """
    held = [replace(each, needed=True) if each.target in names else each for each in outcomes]
    there = {outcome.target for outcome in outcomes}
    absent = [target for target in dict.fromkeys(names) if target not in there]
    none = [Unjudged(f"--require {each}", _none_of(each, exported), each) for each in absent]
    return [*held, *none]


def required_devices(names: Collection[str], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes with those on the named devices marked as needed.

    A device on which nothing was to be judged gets an :class:`Unjudged` of its own.
    """
    held = [replace(each, needed=True) if each.device in names else each for each in outcomes]
    there = {outcome.device for outcome in outcomes}
    absent = [name for name in dict.fromkeys(names) if name not in there]
    none = [Unjudged(f"--require-device {each}", _none_on(each), device=each) for each in absent]
    return [*held, *none]


def _none_on(name: str) -> NotRunError:
    """Return the error that no model was judged on a device."""
    able = [each.name for each in targets.every() if device(name).runs(each)]
    return NotRunError(
        f"{name}: no model was judged there", fix=f"it runs {', '.join(able)}; export one of them"
    )


def _none_of(target: str, exported: Collection[str]) -> NotRunError:
    """Return the error that no model of ``target`` was judged, with the fix."""
    lacking = missing([target], exported)
    fix = lacking[0] if lacking else f"sttk export --target {target}"
    return NotRunError(
        f"--require {target}: no such model was judged",
        fix=fix if target in exported else f"pass a {target} model with --reference",
    )


def conclude(outcomes: Sequence[Outcome]) -> None:
    """Return if every outcome passed, else raise with the exit code of the gravest outcome.

    A broken promise (1) is graver than a file that cannot be read (2), which is graver than a model
    that could not run (3): a script that tolerates the last must still see the first.

    Raises:
        SttkError: the error of the only bad outcome, or one that counts them.
    """
    bad = [outcome for outcome in outcomes if not outcome.passed]
    if not bad:
        return
    if len(bad) == 1 and isinstance(bad[0], Unjudged):
        raise bad[0].error
    code = min(outcome.exit_code for outcome in bad)
    names = ", ".join(outcome.candidate for outcome in bad)
    of = f"{len(bad)} of {len(outcomes)}: {names}"
    if code == NotRunError.exit_code:
        raise NotRunError(f"required, and not run here, {of} ({_whys(bad)})")
    error = ParityError(f"parity fails for {of}")
    error.exit_code = code
    raise error


def _whys(bad: Sequence[Outcome]) -> str:
    return "; ".join(dict.fromkeys(outcome.not_run for outcome in bad))
