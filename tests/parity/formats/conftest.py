"""Outcomes of every kind, made by hand."""

from __future__ import annotations

import pytest

from sttk.toolkit.core.errors import ArtifactError, MissingExtraError
from sttk.toolkit.parity.compare import Report, Row
from sttk.toolkit.parity.metrics import Difference
from sttk.toolkit.parity.outcome import Judged, Unjudged
from sttk.toolkit.parity.style import StyleDifference
from sttk.toolkit.runtimes.base import Check

SMALL, LARGE = Difference(0.002, 0.0001, 130.0), Difference(24.2, 0.5, 50.0)
NOISE, INSIDE = Difference(3.0, 0.2, 60.0), Difference(0.1, 0.00008, 90.0)

EXACT = Row("cat 64x96", "photo", "exact", True, SMALL, SMALL, SMALL)
WORSE = Row(
    "dark 64x96",
    "dark",
    "same style",
    False,
    LARGE,
    LARGE,
    INSIDE,
    SMALL,
    NOISE,
    StyleDifference(-0.013, 0.003, 0.99),
)
UNSURE = Row("ramp 64x96", "ramp", "ill-conditioned", True, LARGE, LARGE, LARGE, NOISE)
UNRUN = Row("tiny 8x8", "tiny", "not run", True, note="style not run: no weights")
FINITE = Row("constant 64x96", "constant", "finite", True)
BROKEN = Row("odd 7x9", "odd", "different", False, note="shape (1, 3, 8, 8), not (1, 3, 7, 9)")


def report(name="artifacts/ink/onnx", rows=(EXACT, FINITE), **more):
    return Report(name, "onnxruntime", "style:ink", "exact", tuple(rows), **more)


@pytest.fixture
def passing():
    return Judged(report(), "onnx")


@pytest.fixture
def failing():
    checks = (Check("header", True), Check("precisions", False, "conv1 fp32, not fp16"))
    rows = (EXACT, WORSE, UNSURE, UNRUN, FINITE, BROKEN)
    return Judged(report("bad.onnx", rows, checks=checks, notes=("clamped",)), "onnx")


@pytest.fixture
def closed():
    """Judged by its graph: the engine itself did not run."""
    return Judged(report("ink/trt", target="trt", not_run="not run: no CUDA device"), "trt")


@pytest.fixture
def unreadable():
    return Unjudged("artifacts/gone", ArtifactError("artifacts/gone: no manifest.json here"))


@pytest.fixture
def left_out():
    """Tried of sttk's own accord."""
    return Unjudged(
        "ink to coreml", MissingExtraError("coremltools", "coreml"), "coreml", needed=False
    )


@pytest.fixture
def hostile():
    """What names of files may be."""
    name = '<script>alert(1)</script>|`"&\x00\x1b\ud800\n::error::x %'
    row = Row(name, "photo", "different", False, LARGE, LARGE, LARGE, note=name)
    return Judged(report(name, [row], notes=(name,)), "onnx")
