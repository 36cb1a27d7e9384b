"""The variants in which a style can be timed, one line each, and what each needs here."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sttk.benchmarks.specs import ModelSpec, TorchSpec
from sttk.benchmarks.subjects.base import SubjectSpec
from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.host import machine
from sttk.toolkit.runtimes.base import Settings
from sttk.toolkit.targets import doctor


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
    """

    runtime: str
    precision: str
    arithmetic: str
    usual: bool = True
    target: str = ""
    exported: Precision = "fp32"
    inference: str | None = None
    device: str = "cpu"

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


# ONNX Runtime computes float16 graphs in float32 on a CPU; OpenVINO an IR of float16 weights in
# what it is told. int8 wants integer instructions, bf16 its own; in int8+bf16 what lies between the
# convolutions is bf16.
VARIANTS = (
    Variant("torch", "fp32", "fp32"),
    Variant("torch", "bf16", "bf16", usual=False),
    Variant("torch.compile", "fp32", "fp32"),
    Variant("torch.compile", "bf16", "bf16", usual=False),
    Variant("onnxruntime", "fp32", "fp32", target="onnx"),
    Variant("onnxruntime", "fp16", "fp32", usual=False, target="onnx", exported="fp16"),
    Variant("onnxruntime", "int8", "int8", target="onnx", exported="int8"),
    Variant("openvino", "fp32", "fp32", target="openvino", inference="f32"),
    Variant("openvino", "bf16", "bf16", target="openvino", inference="bf16"),
    Variant("openvino", "fp16", "fp16", False, "openvino", "fp16", "f16"),
    Variant("openvino", "int8", "int8", target="openvino", exported="int8", inference="f32"),
    Variant("openvino", "int8+bf16", "int8", True, "openvino", "int8", "bf16"),
    Variant("ncnn", "fp32", "fp32", target="ncnn", inference="f32"),
    Variant("ncnn", "bf16", "fp32", usual=False, target="ncnn", inference="bf16"),
    Variant("ncnn", "int8", "int8", target="ncnn", exported="int8", inference="f32"),
    Variant("litert", "fp32", "fp32", target="litert", inference="f32"),
    Variant("litert", "int8", "int8", target="litert", exported="int8", inference="f32"),
    Variant("executorch", "fp32", "fp32", target="executorch"),
    Variant("executorch", "fp16", "fp16", usual=False, target="executorch", exported="fp16"),
    Variant("executorch", "int8", "int8", target="executorch", exported="int8"),
    Variant("torch cuda", "fp16", "cuda fp16", device="cuda"),
    Variant("torch cuda", "fp32", "cuda fp32", usual=False, device="cuda"),
    Variant("torch.compile cuda", "fp16", "cuda fp16", usual=False, device="cuda"),
    Variant("tensorrt", "fp16", "cuda fp16", target="trt", exported="fp16"),
    Variant("tensorrt", "fp32", "cuda fp32", usual=False, target="trt"),
    Variant("tensorrt", "int8", "cuda int8", usual=False, target="trt", exported="int8"),
    Variant("coreml", "fp16", "fp16", target="coreml", exported="fp16"),
    Variant("coreml", "int8", "int8", usual=False, target="coreml", exported="int8"),
    Variant("onnxruntime-web", "fp32", "fp32", usual=False, target="web"),
)


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
    if variant.target == "coreml" and sys.platform != "darwin":
        return "Core ML is a part of macOS; the time of sttk's interpreter means nothing"
    if not variant.target:
        return ""
    able = {ability.target: ability for ability in doctor.abilities(_devices())}[variant.target]
    for said in (able.run, able.export):
        if said.startswith("no: "):
            return said.removeprefix("no: ")
    return ""


@lru_cache(maxsize=1)
def _devices() -> tuple[machine.Gpu, ...]:
    return machine.gpus()
