"""What a benchmark yields: rows of samples, each a case that was timed or the reason why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from sttk.benchmarks.statistics import Summary, summary
from sttk.toolkit.core.shapes import Size, text
from sttk.toolkit.runtimes.base import Node

GATYS = "gatys"
# What the authors of such nets let the optimisation run to, and the tables of 2016.
ITERATIONS = (100, 300, 500)
# A turn of so many samples is long enough to do without its first, which finds the processor's
# caches full of another row's data.
_LONG = 8


@dataclass(frozen=True)
class Case:
    """The name of what is timed, in tables and in files.

    Attributes:
        model: the style's name, or another model's.
        runtime: the runtime's name; :data:`GATYS` for Gatys' optimisation.
        precision: the precision's usual name; for what it means to a runtime, see
            ``sttk.benchmarks.variants``.
        size: (height, width) in pixels.
        batch: pictures at once.
    """

    model: str
    runtime: str
    precision: str
    size: Size
    batch: int = 1

    @property
    def variant(self) -> str:
        """The runtime and precision, such as ``openvino int8``."""
        return f"{self.runtime} {self.precision}"

    def __str__(self) -> str:
        batch = f" x {self.batch}" if self.batch > 1 else ""
        return f"{self.model}, {self.variant}, {text(self.size)}{batch}"


@dataclass(frozen=True)
class Timing:
    """The measurements of a case that ran; all times in seconds.

    Attributes:
        turns: every sample of the model alone, from arrays in memory to arrays in memory, by turn.
            For a GPU, the device's time alone. For Gatys' optimisation, each is an iteration.
        whole: samples from a JPEG file to 8-bit pictures; none for Gatys' optimisation.
        load: the time until the model could be run.
        first: the first run, before anything is warm; it includes a compiler's compilation.
        memory: the most bytes that its process took, or None where the system does not tell.
        steady: whether three runs in a row agreed before the timing began.
        notes: what a reader of the figures must know.
    """

    turns: tuple[tuple[float, ...], ...]
    whole: tuple[tuple[float, ...], ...]
    load: float
    first: float
    memory: int | None
    steady: bool
    notes: tuple[str, ...] = ()

    @property
    def settled(self) -> tuple[tuple[float, ...], ...]:
        """The samples that count: all but the first of a long turn, and all of a short one."""
        return tuple(turn[1:] if len(turn) >= _LONG else turn for turn in self.turns)

    @cached_property
    def summary(self) -> Summary:
        """The statistics of the model alone."""
        return summary(self.settled)


@dataclass(frozen=True)
class Row:
    """A case, and its timing or why there is none.

    Attributes:
        case: what was to be timed.
        timing: its measurements, if it ran.
        not_run: why it did not run, or "".
        arithmetic: the one of the machine's peaks that bounds it, such as ``int8``.
        limit: seconds that the machine would take at its measured peaks, or None (roofline).
        nodes: its slowest nodes, if asked for.
    """

    case: Case
    timing: Timing | None = None
    not_run: str = ""
    arithmetic: str = "fp32"
    limit: float | None = None
    nodes: tuple[Node, ...] = ()

    @property
    def seconds(self) -> float:
        """The median of one run of the model; NaN for a case that did not run."""
        return self.timing.summary.p50 if self.timing else float("nan")

    @property
    def fps(self) -> float:
        """Pictures in a second, model alone."""
        return self.case.batch / self.seconds

    @property
    def share(self) -> float | None:
        """The share of the machine's limit that is reached; 1 is all of it."""
        return self.limit / self.seconds if self.limit and self.timing else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, with the summary, which is not read back."""
        extra = {"summary": {**asdict(self.timing.summary), "fps": self.fps}} if self.timing else {}
        return {**asdict(self), **extra}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Row:
        """Read what :meth:`to_dict` made. Raises KeyError or TypeError."""
        fields = {key: value for key, value in values.items() if key != "summary"}
        case = _case(fields["case"])
        timing = _timing(fields["timing"]) if fields["timing"] else None
        nodes = tuple(Node(**node) for node in fields["nodes"])
        return cls(**{**fields, "case": case, "timing": timing, "nodes": nodes})


def _case(values: Mapping[str, Any]) -> Case:
    return Case(**{**values, "size": tuple(values["size"])})


def _timing(values: Mapping[str, Any]) -> Timing:
    turns, whole = (tuple(map(tuple, values[name])) for name in ("turns", "whole"))
    return Timing(**{**values, "turns": turns, "whole": whole, "notes": tuple(values["notes"])})


@dataclass(frozen=True)
class Iterations:
    """Gatys' optimisation, run to the end (``--full``): the seconds after some iterations."""

    size: Size
    seconds: dict[int, float]


@dataclass(frozen=True)
class LeftOut:
    """A case that could have been timed, and why it was not: time, memory, this processor."""

    case: Case
    reason: str


@dataclass(frozen=True)
class Results:
    """Everything that one call measured, and where.

    Attributes:
        style: name and sha256 of the style's checkpoint.
        environment: see ``sttk.benchmarks.environment``.
        peaks: multiplications a second by arithmetic, and ``copy``, bytes a second.
        rows: the rows, in the order of the tables.
        full: Gatys' optimisations that were run to the end.
        equal: see ``sttk.benchmarks.equal_loss``.
        unmeasured: why a device, ``cpu`` or ``cuda``, has no peaks.
        left_out: what was not timed, though nobody said to leave it out.
        spent: wall time in seconds: ``budget`` that there was, ``taken`` of it; empty in older
            files.
    """

    style: dict[str, str]
    environment: dict[str, Any]
    peaks: dict[str, float]
    rows: tuple[Row, ...]
    full: tuple[Iterations, ...] = ()
    equal: tuple[dict[str, Any], ...] = field(default=())
    unmeasured: dict[str, str] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    spent: dict[str, float] = field(default_factory=dict)

    @property
    def sizes(self) -> list[Size]:
        """The sizes, each once, as asked for."""
        return list(dict.fromkeys(row.case.size for row in self.rows))

    def at(self, size: Size) -> list[Row]:
        """Return the models' rows of one size."""
        return [row for row in self.rows if row.case.size == size and row.case.runtime != GATYS]

    def gatys(self, size: Size) -> Row | None:
        """Return the optimisation of one size, if it ran."""
        found = [r for r in self.rows if r.case.size == size and r.case.runtime == GATYS]
        return next((row for row in found if row.timing), None)

    def with_rows(self, rows: tuple[Row, ...]) -> Results:
        """Return the same results with other rows."""
        return replace(self, rows=rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        names = ("style", "environment", "peaks", "unmeasured", "equal", "spent")
        parts = {name: getattr(self, name) for name in names}
        full = [{**asdict(each), "seconds": _keyed(each.seconds)} for each in self.full]
        left_out = [asdict(each) for each in self.left_out]
        rows = [row.to_dict() for row in self.rows]
        return {**parts, "rows": rows, "full": full, "left_out": left_out}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Results:
        """Read what :meth:`to_dict` made. Raises KeyError or TypeError on foreign values."""
        full = tuple(
            Iterations(tuple(each["size"]), {int(n): s for n, s in each["seconds"].items()})
            for each in values["full"]
        )
        return cls(
            dict(values["style"]),
            dict(values["environment"]),
            dict(values["peaks"]),
            tuple(map(Row.from_dict, values["rows"])),
            full,
            tuple(values["equal"]),
            # These are not in older files.
            dict(values.get("unmeasured", {})),
            tuple(LeftOut(_case(e["case"]), e["reason"]) for e in values.get("left_out", ())),
            dict(values.get("spent", {})),
        )


def _keyed(seconds: Mapping[int, float]) -> dict[str, float]:
    return {str(iterations): value for iterations, value in seconds.items()}
