"""The ways in which a style can be run: one line each, and what it takes to run it here."""

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
class Way:
    """A runtime and a precision.

    Attributes:
        runtime: as people call it.
        precision: as people call it.
        arithmetic: that the multiplications are done in: which peak of the machine is its limit.
        usual: whether it is timed unless somebody asks for others.
        target: what the style is exported to; "" for torch, which runs it as it is.
        exported: precision of that export.
        inference: precision that the runtime is told to compute in; None for the model's own.
        device: of torch.
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
        """Return what loads a style so.

        Args:
            style: name or checkpoint, for torch.
            model: its exported model, for any other runtime.
            threads: of the CPU.
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
WAYS = (
    Way("torch", "fp32", "fp32"),
    Way("torch", "bf16", "bf16", usual=False),
    Way("torch.compile", "fp32", "fp32"),
    Way("torch.compile", "bf16", "bf16", usual=False),
    Way("onnxruntime", "fp32", "fp32", target="onnx"),
    Way("onnxruntime", "fp16", "fp32", usual=False, target="onnx", exported="fp16"),
    Way("onnxruntime", "int8", "int8", target="onnx", exported="int8"),
    Way("openvino", "fp32", "fp32", target="openvino", inference="f32"),
    Way("openvino", "bf16", "bf16", target="openvino", inference="bf16"),
    Way("openvino", "fp16", "fp16", False, "openvino", "fp16", "f16"),
    Way("openvino", "int8", "int8", target="openvino", exported="int8", inference="f32"),
    Way("openvino", "int8+bf16", "int8", True, "openvino", "int8", "bf16"),
    Way("ncnn", "fp32", "fp32", target="ncnn", inference="f32"),
    Way("ncnn", "bf16", "fp32", usual=False, target="ncnn", inference="bf16"),
    Way("ncnn", "int8", "int8", target="ncnn", exported="int8", inference="f32"),
    Way("litert", "fp32", "fp32", target="litert", inference="f32"),
    Way("litert", "int8", "int8", target="litert", exported="int8", inference="f32"),
    Way("executorch", "fp32", "fp32", target="executorch"),
    Way("executorch", "fp16", "fp16", usual=False, target="executorch", exported="fp16"),
    Way("executorch", "int8", "int8", target="executorch", exported="int8"),
    Way("torch cuda", "fp16", "cuda fp16", device="cuda"),
    Way("torch cuda", "fp32", "cuda fp32", usual=False, device="cuda"),
    Way("torch.compile cuda", "fp16", "cuda fp16", usual=False, device="cuda"),
    Way("tensorrt", "fp16", "cuda fp16", target="trt", exported="fp16"),
    Way("tensorrt", "fp32", "cuda fp32", usual=False, target="trt"),
    Way("tensorrt", "int8", "cuda int8", usual=False, target="trt", exported="int8"),
    Way("coreml", "fp16", "fp16", target="coreml", exported="fp16"),
    Way("coreml", "int8", "int8", usual=False, target="coreml", exported="int8"),
    Way("onnxruntime-web", "fp32", "fp32", usual=False, target="web"),
)


def runtimes() -> list[str]:
    """Names, each once."""
    return list(dict.fromkeys(way.runtime for way in WAYS))


def precisions() -> list[str]:
    """Names, each once."""
    return list(dict.fromkeys(way.precision for way in WAYS))


def chosen(wanted: tuple[str, ...], precision: tuple[str, ...]) -> list[Way]:
    """The ways of some runtimes and precisions; of none named, the usual ones.

    Raises:
        UsageError: a runtime that is named computes in none of the precisions, or no runtime does.
    """
    found = [
        way
        for way in WAYS
        if (way.runtime in wanted or not wanted)
        and (way.precision in precision or (not precision and (way.usual or bool(wanted))))
    ]
    able = {way.runtime for way in found}
    left = [runtime for runtime in dict.fromkeys(wanted) if runtime not in able]
    if left or not found:
        raise UsageError(
            f"no {' or '.join(left) or 'runtime'} in {' or '.join(precision)}",
            fix=f"there are {', '.join(map(str, WAYS))}",
        )
    return found


def reason_against(way: Way) -> str:
    """Why it cannot run on this machine, as far as can be told beforehand, or ""."""
    if way.device == "cuda" and not _devices():
        return "no CUDA device"
    if way.target == "coreml" and sys.platform != "darwin":
        return "Core ML is a part of macOS; the time of sttk's interpreter means nothing"
    if not way.target:
        return ""
    able = {ability.target: ability for ability in doctor.abilities(_devices())}[way.target]
    for said in (able.run, able.export):
        if said.startswith("no: "):
            return said.removeprefix("no: ")
    return ""


@lru_cache(maxsize=1)
def _devices() -> tuple[machine.Gpu, ...]:
    return machine.gpus()
