"""Results made up, and a benchmark whose machine's peaks are known."""

from __future__ import annotations

import pytest

from sttk.benchmarks import suite
from sttk.benchmarks.environment import environment
from sttk.benchmarks.rows import GATYS, Case, Iterations, Results, Row, Timing

SIZE = (512, 512)
PEAKS = {"fp32": 1e11, "bf16": 2e11, "int8": 4e11, "copy": 5e10}


def timing(seconds, *, turns=6, runs=3, spread=0.01, **changed):
    """Turns about ``seconds``, the same every time."""
    made = tuple(
        tuple(seconds * (1 + spread * ((7 * turn + 3 * run) % 5 - 2) / 2) for run in range(runs))
        for turn in range(turns)
    )
    values = {
        "turns": made, "whole": tuple((1.1 * seconds,) for _ in made), "load": 0.2, "first": 0.3,
        "memory": 400_000_000, "steady": True, **changed,
    }  # fmt: skip
    return Timing(**values)


def row(runtime, seconds, precision="fp32", size=SIZE, model="ink", **changed):
    return Row(Case(model, runtime, precision, size), timing(seconds), **changed)


@pytest.fixture
def results():
    """ONNX Runtime takes 0.5 s, OpenVINO 0.1 s in int8, an iteration 2 s; no GPU."""
    absent = Row(Case("ink", "tensorrt", "fp16", SIZE), not_run="no CUDA device")
    optimisation = row(GATYS, 2.0, model="VGG-19")
    rows = (
        row("onnxruntime", 0.5, limit=0.25),
        row("openvino", 0.1, "int8", limit=0.05, arithmetic="int8"),
        absent,
        optimisation,
    )
    curve = [[n, 2.0 * n, 100.0 / n] for n in range(1, 41)]
    equal = {
        "photo": "river", "size": [512, 512], "start": "noise", "aim": 2.5,
        "iterations": 40, "seconds": 80.0, "curve": curve,
    }  # fmt: skip
    return Results(
        {"name": "ink", "sha256": "0" * 64},
        environment(2),
        PEAKS,
        rows,
        (Iterations(SIZE, {100: 201.0, 300: 604.0, 500: 1003.0}),),
        (equal,),
    )


@pytest.fixture
def known_peaks(monkeypatch):
    """Measuring takes seconds, and is tested by itself."""
    monkeypatch.setattr(suite, "measured_peaks", lambda *_: (dict(PEAKS), {}))
