"""The variants in which a style can be timed, one line each, and what each needs here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sttk.benchmarks.specs import ModelSpec, TorchSpec
from sttk.benchmarks.subjects.base import SubjectSpec
from sttk.exporters import exportable
from sttk.toolkit import targets
from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.host import machine
from sttk.toolkit.runtimes.base import Settings
from sttk.toolkit.targets.base import Target


@dataclass(frozen=True)
class Variant:
    """A runtime with a precision.

    Attributes:
        runtime: the runtime's usual name.
        precision: the precision's usual name.
        arithmetic: the arithmetic of its multiplications, whose peak on this machine is its limit.
        usual: whether it is timed unless somebody asks for others.
        target: the target that the style is exported to; "" for torch, which runs the net itself.
        exported: the precision of that export.
        inference: the precision that the runtime computes in; None for the model's own.
        device: torch's device.
        feature, rank, small_rank: see :class:`Timed`.
    """

    runtime: str
    precision: str
    arithmetic: str
    usual: bool = True
    target: str = ""
    exported: Precision = "fp32"
    inference: str | None = None
    device: str = "cpu"
    feature: str = ""
    rank: int | None = None
    small_rank: int | None = None

    def subject(self, style: str, model: Path | None, threads: int) -> SubjectSpec:
        """Return the spec of the style, loaded in this variant.

        Args:
            style: the style's name or checkpoint, for torch.
            model: its exported model, for any other runtime.
            threads: the CPU threads that it may use.
        """
        if model is not None:
            return ModelSpec(model, Settings(self.inference, threads))
        compiled = self.runtime.startswith("torch.compile")
        return TorchSpec(style, self.precision, compiled, self.device, threads)

    def __str__(self) -> str:
        return f"{self.runtime} {self.precision}"


def _of_target(target: Target) -> list[Variant]:
    return [
        Variant(
            target.runtime,
            each.precision,
            each.arithmetic,
            each.usual,
            target.name,
            each.exported,
            each.inference,
            feature=each.feature,
            rank=each.rank,
            small_rank=each.small_rank,
        )
        for each in target.timings
    ]


def _variants() -> Iterator[Variant]:
    """Yield torch and what runs on any CPU, then GPUs, then what runs on one system alone."""
    anywhere = [each for each in exportable() if each.timed and each.selectable]
    elsewhere = [each for each in exportable() if each not in anywhere]
    yield Variant("torch", "fp32", "fp32", rank=0)
    yield Variant("torch", "bf16", "bf16", usual=False)
    yield Variant("torch.compile", "fp32", "fp32")
    yield Variant("torch.compile", "bf16", "bf16", usual=False)
    for each in anywhere:
        yield from _of_target(each)
    yield Variant("torch cuda", "fp16", "cuda fp16", device="cuda", rank=3)
    yield Variant("torch cuda", "fp32", "cuda fp32", usual=False, device="cuda")
    yield Variant("torch.compile cuda", "fp16", "cuda fp16", usual=False, device="cuda")
    for each in elsewhere:
        yield from _of_target(each)


VARIANTS = tuple(_variants())


def runtimes() -> list[str]:
    """Return the runtimes' names, each once."""
    return list(dict.fromkeys(variant.runtime for variant in VARIANTS))


def precisions() -> list[str]:
    """Return the precisions' names, each once."""
    return list(dict.fromkeys(variant.precision for variant in VARIANTS))


def chosen(wanted: tuple[str, ...], precision: tuple[str, ...]) -> list[Variant]:
    """Return the variants of some runtimes and precisions; where none is named, the usual ones.

    Raises:
        UsageError: a runtime that is named computes in none of the precisions, or no runtime does.
    """
    found = [
        variant
        for variant in VARIANTS
        if (variant.runtime in wanted or not wanted)
        and (variant.precision in precision or (not precision and (variant.usual or bool(wanted))))
    ]
    able = {variant.runtime for variant in found}
    left = [runtime for runtime in dict.fromkeys(wanted) if runtime not in able]
    if left or not found:
        raise UsageError(
            f"no {' or '.join(left) or 'runtime'} in {' or '.join(precision)}",
            fix=f"there are {', '.join(map(str, VARIANTS))}",
        )
    return found


def reason_against(variant: Variant) -> str:
    """Return why it cannot run on this machine, as far as is known beforehand, or ""."""
    if variant.device == "cuda" and not _devices():
        return "no CUDA device"
    if not variant.target:
        return ""
    target = targets.target(variant.target)
    if said := target.not_timed_here():
        return said
    able = target.requires.ability(target.name, _devices())
    for said in (able.run, able.export):
        if said.startswith("no: "):
            return said.removeprefix("no: ")
    return ""


@lru_cache(maxsize=1)
def _devices() -> tuple[machine.Gpu, ...]:
    return machine.gpus()
