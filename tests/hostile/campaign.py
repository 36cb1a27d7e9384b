"""Inputs one after the other: the same for the same seed, each by its kind and number."""

from __future__ import annotations

import functools
import importlib
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.hostile import pictures
from tests.hostile.bytes_mutations import Mutation, of_any_file
from tests.hostile.checkpoints import zip_seed
from tests.hostile.judge import faults
from tests.hostile.kinds import KINDS, Kind, Places
from tests.hostile.sample import Sample
from tests.hostile.worker import Job, Ran, Workers

# What the commands import when they run: once here, rather than in each worker.
_HEAVY = (
    "torch",
    "onnx",
    "onnxruntime",
    "openvino",
    "ncnn",
    "ai_edge_litert.interpreter",
    "executorch.runtime",
    "sttk.exporters.onnx.export",
    "sttk.exporters.artifact",
    "sttk.toolkit.opened.artifact",
    "sttk.toolkit.opened.verify",
    "sttk.toolkit.opened.inspect",
    "sttk.toolkit.runtimes.stylize",
    "av",
    "sttk.workflows.opening",
    "sttk.toolkit.video.convert",
    "sttk.toolkit.targets.onnx.runner",
    "sttk.toolkit.targets.openvino.runner",
    "sttk.toolkit.targets.ncnn.runner",
    "sttk.toolkit.targets.litert.runner",
    "sttk.toolkit.targets.executorch.runner",
    "sttk.toolkit.targets.coreml.runner",
    "sttk.toolkit.targets.coreml.describe",
    "sttk.toolkit.targets.onnx.describe",
    "sttk.commands.inspect",
    "sttk.commands.verify",
    "sttk.commands.stylize",
    "sttk.commands.export",
)


@dataclass
class Tally:
    """Counts of one row of the report."""

    runs: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    grown: int = 0

    def add(self, ran: Ran, found: list[str]) -> None:
        self.runs += 1
        self.codes[str(ran.code) if ran.code is not None else "none"] += 1
        self.faults.update(found)
        self.grown = max(self.grown, ran.grown)


@dataclass(frozen=True)
class Bad:
    """One outcome that is not good, and how to see it again."""

    input: str
    mutation: str
    command: str
    faults: list[str]
    ran: Ran

    def __str__(self) -> str:
        said = (self.ran.stderr or self.ran.stdout).strip().replace("\n", " | ")[:300]
        grown = f"{self.ran.grown / 1e6:.0f} MB"
        left = f" left {', '.join(self.ran.left)};" if "left behind" in self.faults else ""
        about = f"{self.input} [{self.mutation}] {self.command}: {', '.join(self.faults)}"
        return f"{about}; {grown};{left} {said}"


class Campaign:
    """Makes inputs, runs commands on them, and counts."""

    def __init__(self, seed: int, scratch: Path, seconds: float) -> None:
        self.seed, self._scratch = seed, scratch
        self._workers = Workers(seconds)
        self.inputs: Counter[str] = Counter()
        self.by_command: dict[tuple[str, str], Tally] = {}
        self.by_mutation: dict[tuple[str, str], Tally] = {}
        self.bad: list[Bad] = []

    def run(self, kind: Kind, number: int) -> list[Bad]:
        """One input through all commands whose turn it is."""
        mutation, sample = self.sample(kind, number)
        found = []
        self.inputs[kind.name] += 1
        for index, (name, command) in enumerate(kind.commands.items()):
            if (number + index) % command.every:
                continue
            found += self._command(kind, number, mutation, sample, name)
        self.bad += found
        return found

    def sample(self, kind: Kind, number: int) -> tuple[str, Sample]:
        """The input of this number: its mutation's name, and what it made."""
        mutations = mutations_of(kind)
        random = Random(f"{self.seed}/{kind.name}/{number}")
        if number < len(seeds_of(kind)):
            return "none", seeds_of(kind)[number]
        name = sorted(mutations)[number % len(mutations)]
        seed = random.choice(seeds_of(kind))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what libraries say of odd files while we make them
            try:
                return name, mutations[name](random, seed)
            except Exception:  # what a library refuses to write
                return f"{name}, not made", seed

    def _command(
        self, kind: Kind, number: int, mutation: str, sample: Sample, name: str
    ) -> Iterator[Bad]:
        root = self._scratch / "run"
        shutil.rmtree(root, ignore_errors=True)
        for folder in ("input", "output", "temporary"):
            (root / folder).mkdir(parents=True)
        target = sample.write(root / "input")
        places = Places(target, root / "output", *_beside(self._scratch))
        arguments = kind.commands[name].arguments(places)
        ran = self._workers.run(Job(tuple(arguments), root))
        found = faults(ran)
        self.by_command.setdefault((kind.name, name), Tally()).add(ran, found)
        self.by_mutation.setdefault((kind.name, mutation), Tally()).add(ran, found)
        if found:
            yield Bad(f"{kind.name}/{number}", mutation, name, found, ran)

    def close(self) -> None:
        self._workers.close()


def warm() -> None:
    """Import what the commands will need. Nothing is run, so that forks are safe."""
    from sttk.toolkit.io.streams import quiet_library

    with quiet_library():
        for name in _HEAVY:
            importlib.import_module(name)


@functools.cache
def seeds_of(kind: Kind) -> tuple[Sample, ...]:
    samples = []
    for make in kind.seeds:
        with tempfile.TemporaryDirectory(prefix="sttk-") as scratch:
            samples.append(make(Path(scratch)))
    return tuple(samples)


@functools.cache
def mutations_of(kind: Kind) -> dict[str, Mutation]:
    return {**of_any_file(_others()), **kind.mutations}


@functools.cache
def _others() -> list[bytes]:
    """Small files of several kinds, whose bytes are spliced in."""
    made = [seed(Path()) for seeds in pictures.SEEDS.values() for seed in seeds[:1]]
    made.append(zip_seed(Path()))
    return [content for sample in made for content in sample.files.values()]


def _beside(scratch: Path) -> tuple[Path, Path]:
    """A valid picture and a valid checkpoint."""
    photo, net = scratch / "photo.png", scratch / "net.pth"
    if not net.exists():
        photo.write_bytes(pictures.saved(pictures.rgb(), "PNG"))
        net.write_bytes(zip_seed(scratch).files["net.pth"])
    return photo, net


def kind_named(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.name == name)
