"""What is float16 on the GPU of a phone, and what is not."""

from __future__ import annotations

import numpy as np
import pytest

from sttk.exporters.litert.flat import Flat
from sttk.toolkit.precision.arithmetic import FLOAT16, FLOAT32, ROUNDED
from sttk.toolkit.targets.litert.interpreter import Interpreter
from sttk.toolkit.targets.litert.program import read_program

pytest.importorskip("ai_edge_litert.interpreter")


@pytest.fixture
def computed(tmp_path):
    """The result of a graph, ``build(flat, x)``, on values (1, H, W, C) in an arithmetic."""

    def run(build, values, arithmetic):
        flat = Flat("float16")
        source = flat.tensor("x")
        flat.shape(source, list(values.shape))
        flat.between({"x": source}, {"y": build(flat, source)})
        (tmp_path / "m.tflite").write_bytes(flat.to_bytes())
        return Interpreter(read_program(tmp_path / "m.tflite"), arithmetic).run(values)

    return run


def mean(flat, x):
    axes = flat.constant("axes", np.array([1, 2], np.int32))
    return flat.operator("MEAN", [x, axes], flat.tensor("mean"), "ReducerOptions", keepDims=True)


def variance(flat, x):
    squares = flat.operator("SQUARED_DIFFERENCE", [x, mean(flat, x)], flat.tensor("squares"))
    return mean(flat, squares)


def one_by_one(bias):
    def build(flat, x):
        weight = flat.constant("w", np.ones((1, 1, 1, 3000), np.float32))
        constants = [weight, flat.constant("b", np.array([bias], np.float32))]
        window = {"padding": 1, "strideH": 1, "strideW": 1,
                  "dilationHFactor": 1, "dilationWFactor": 1}  # fmt: skip
        return flat.operator(
            "CONV_2D", [x, *constants], flat.tensor("y"), "Conv2DOptions", **window
        )

    return build


def test_sums_of_convolutions_are_and_the_bias_comes_last(computed):
    ones = np.ones((1, 1, 1, 3000), np.float32)
    # From 2048 on, float16 counts in steps of 2: adding 1 no longer changes it.
    found = [computed(one_by_one(-1000), ones, each).item() for each in (FLOAT16, ROUNDED)]
    assert found == [2048 - 1000, 3000 - 1000]


def test_sums_of_means_are_not(computed):
    ones = np.ones((1, 80, 80, 1), np.float32)
    assert computed(mean, ones, FLOAT16).item() == 1


@pytest.mark.parametrize("arithmetic", [FLOAT16, ROUNDED, FLOAT32], ids=lambda each: each.name)
def test_squares_are(arithmetic, computed):
    """255^2 is within float16, and 257^2 is beyond it (65504)."""
    signs = np.where(np.arange(64).reshape(1, 8, 8, 1) % 2, 1, -1).astype(np.float32)
    within, beyond = (computed(variance, side * signs, arithmetic).item() for side in (255, 257))
    assert within == pytest.approx(255**2, rel=2**-10)
    assert (beyond == np.inf) is (arithmetic is not FLOAT32)
