"""Two exports into one folder at once, and one of them killed."""

from __future__ import annotations

import random
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.killing import Child, Ended, Moment, run
from tests.faults.subjects import Subject, left_over, subjects

_NAMES = (
    "export onnx, files alone, over an artifact",
    "export onnx, files alone, nothing there",
    "export openvino, files alone, over an artifact",
)


@dataclass
class Races:
    """What was found of one kind of race."""

    name: str
    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """How often one of the two was killed."""
        return sum(count for end, count in self.ends.items() if "killed" in end)


def all_races(count: int, seed: int, root: Path) -> list[Races]:
    """Each kind of export ``count`` times, and half as often with one of the two killed."""
    found = []
    for subject in (each for each in subjects() if each.name in _NAMES):
        before, after = root / subject.name / "before", root / subject.name / "after"
        shutil.copytree(root / "out", before / "out")
        (before / "tmp").mkdir()
        subject.prepare(before)
        shutil.copytree(before, after)
        calls = run(subject.command, after, subject.stand_in).calls
        for kill in (False, True):
            races = Races(f"{subject.name}{', one killed' if kill else ''}")
            rng = random.Random(f"{seed} {races.name}")
            for _ in range(count // 2 if kill else count):
                call = rng.randint(1, calls) if kill else 0
                _race(races, subject, before, after, root / "race", call)
            print(races.name, dict(races.ends), file=sys.stderr, flush=True)  # noqa: T201
            found.append(races)
    return found


def _race(
    races: Races, subject: Subject, before: Path, after: Path, folder: Path, call: int
) -> None:
    shutil.copytree(before, folder)
    try:
        one = Child(subject.command, folder, subject.stand_in, call)
        other = Child(subject.command, folder, subject.stand_in)
        ends = [child.end(Moment()) for child in (one, other)]
        faults = [*_ends(ends, call), *subject.killed(folder, before, after)]
        if call:
            third = run(subject.command, folder, subject.stand_in)
            faults += [] if third.code == 0 else [f"the third gives {third.code}: {third.said}"]
        faults += [*subject.rerun_faults(folder, before, after), *left_over(folder)]
        races.ends[" and ".join(sorted(_told(end) for end in ends))] += 1
        races.faults += [f"{races.name}, call {call}: {fault}" for fault in faults]
    finally:
        shutil.rmtree(folder)


def _told(end: Ended) -> str:
    return "killed" if end.code is None else f"exit {end.code}"


def _ends(ends: list[Ended], call: int) -> Iterator[str]:
    codes = [end.code for end in ends]
    if call and codes[1] != 0:
        yield f"the other gives {codes[1]}: {ends[1].said}"
    if not call and 0 not in codes:
        yield f"none succeeds: {codes}"
    for end in ends:
        lines = end.said.strip().splitlines()
        if end.code not in (0, None) and not (end.code == 1 and len(lines) == 1):
            yield f"{end.code}: {end.said}"


def table(races: list[Races]) -> Iterator[str]:
    """The rows of the report."""
    yield "| export | pairs | ends | failures |"
    yield "| --- | ---: | --- | ---: |"
    for race in races:
        ends = ", ".join(f"{count} {end}" for end, count in sorted(race.ends.items()))
        yield f"| {race.name} | {sum(race.ends.values())} | {ends} | {len(race.faults)} |"
