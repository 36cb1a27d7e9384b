"""Versions of libraries that are known to be incompatible, each with its source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from packaging.specifiers import SpecifierSet

PYTHON = "python"  # stands for the interpreter among the libraries


class BadPair(NamedTuple):
    """A pair of libraries' versions that fail together, or one that fails alone.

    Attributes:
        library: the first library's distribution.
        versions: its bad versions, as a specifier.
        other: the second library's distribution, empty if the first fails alone.
        other_versions: the second library's bad versions, as a specifier.
        happens: the failure.
        fix: what the user can do about it.
        source: the issue thread or measurement that shows it.
    """

    library: str
    versions: str
    other: str
    other_versions: str
    happens: str
    fix: str
    source: str


BAD_PAIRS = (
    BadPair(
        "onnxscript",
        "<0.6",
        "torch",
        ">=2.11",
        "every torch.onnx.export(dynamo=True) fails: no onnxscript._framework_apis.torch_2_11",
        "pip install 'onnxscript>=0.6'",
        "microsoft/onnxscript#2756; measured: 0.5.7 with torch 2.13 fails, 0.6.0 does not",
    ),
    BadPair(
        "onnxsim",
        "<0.7.1",
        "",
        "",
        "no check_atol: its comparison cannot be told a tolerance for values of 0 to 255",
        "pip install 'onnxsim>=0.7.3'",
        "measured: 0.7.0 lacks it, 0.7.1 has it",
    ),
    BadPair(
        "onnxruntime",
        "<1.19",
        "numpy",
        ">=2",
        "it cannot be imported: AttributeError: _ARRAY_API not found",
        "pip install 'onnxruntime>=1.23'",
        "microsoft/onnxruntime#21063",
    ),
    BadPair(
        "onnx",
        ">=1.19",
        "ml_dtypes",
        "<0.5",
        "it cannot be imported: ml_dtypes has no attribute float4_e2m1fn",
        "pip install 'ml_dtypes>=0.5'",
        "onnx/onnx#7249",
    ),
    BadPair(
        "coremltools",
        "<=9.0",
        "torch",
        ">=2.8",
        "untested by its makers, says so on import; sttk's own nets convert",
        "none needed for sttk's nets; for others, torch 2.7 is the last that was tested",
        "apple/coremltools#2615; measured: 9.0 with torch 2.13",
    ),
    BadPair(
        "coremltools",
        "<=9.0",
        "torch",
        ">=2.11",
        "coremltools.optimize.torch.quantization: no module torch.ao.quantization.quantizer",
        "quantise the converted package (coremltools.optimize.coreml), as sttk does",
        "apple/coremltools#2823",
    ),
    BadPair(
        "coremltools",
        "<=9.0",
        "numpy",
        ">=2.4",
        "nets that compute sizes as tensors fail: only 0-dimensional arrays can be converted",
        "none needed for sttk's nets; for others, pip install 'numpy<2.4'",
        "apple/coremltools#2633, #2755",
    ),
    BadPair(
        "coremltools",
        "<=9.0",
        PYTHON,
        ">=3.14",
        "its wheel has no native libraries: BlobWriter not loaded, no package can be saved",
        "use Python 3.13 or older",
        "apple/coremltools#2695",
    ),
    BadPair(
        "tensorrt",
        ">=11",
        "",
        "",
        "BuilderFlag.FP16, INT8, BF16 and FP8 are gone; scripts of your own that set them fail",
        "keep precision in the ONNX graph, as 'sttk export --half' does",
        "NVIDIA's migration guide 10.x to 11.x; roboflow/rf-detr#1214",
    ),
)


def found(version_of: Callable[[str], str | None]) -> Iterator[BadPair]:
    """Yield the pairs that are installed here.

    Args:
        version_of: returns a distribution's version, or None if it is not installed.
    """
    for pair in BAD_PAIRS:
        if _within(version_of(pair.library), pair.versions) and (
            not pair.other or _within(version_of(pair.other), pair.other_versions)
        ):
            yield pair


def _within(version: str | None, versions: str) -> bool:
    """Return whether an installed version is one of those, pre-releases included."""
    return version is not None and SpecifierSet(versions).contains(version, prereleases=True)
