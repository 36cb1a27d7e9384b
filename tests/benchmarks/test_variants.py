"""Variants in which a style runs, and why some cannot run here."""

from __future__ import annotations

import sys

import pytest

from sttk.benchmarks import variants
from sttk.benchmarks.variants import VARIANTS, chosen, reason_against
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.host.machine import Gpu
from sttk.toolkit.targets import requirements


def named(name):
    (variant,) = [variant for variant in VARIANTS if str(variant) == name]
    return variant


def test_names_are_unique():
    assert len(set(map(str, VARIANTS))) == len(VARIANTS)


def test_usual_ones_unless_asked_for_others():
    assert "onnxruntime fp16" not in map(str, chosen((), ()))
    assert "onnxruntime fp16" in map(str, chosen(("onnxruntime",), ()))
    assert [*map(str, chosen(("openvino",), ("bf16", "int8")))] == [
        "openvino bf16",
        "openvino int8",
    ]
    assert {variant.precision for variant in chosen((), ("bf16",))} == {"bf16"}
    with pytest.raises(UsageError, match="no onnxruntime in bf16"):
        chosen(("onnxruntime",), ("bf16",))
    with pytest.raises(UsageError, match="no torch in int8"):
        chosen(("torch", "openvino"), ("int8",))


def test_without_a_gpu(monkeypatch):
    monkeypatch.setattr(variants, "_devices", lambda: ())
    assert reason_against(named("torch cuda fp16")) == "no CUDA device"
    assert reason_against(named("tensorrt fp16"))
    assert reason_against(named("torch fp32")) == ""


def test_a_gpu_is_used(monkeypatch):
    monkeypatch.setattr(variants, "_devices", lambda: (Gpu("H100", "9.0", "570"),))
    assert reason_against(named("torch cuda fp16")) == ""


def test_core_ml_is_timed_on_macs_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    assert "macOS" in reason_against(named("coreml fp16"))


def test_a_missing_library_is_the_reason(monkeypatch):
    monkeypatch.setattr(requirements, "version_of", lambda name: None)
    assert "openvino not installed" in reason_against(named("openvino fp32"))
