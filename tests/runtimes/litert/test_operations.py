"""Single operations, and LiteRT's own kernels for them."""

from __future__ import annotations

import numpy as np
import pytest

from sttk.exporters.litert.flat import Flat, Scale
from sttk.toolkit.targets.litert.interpreter import Interpreter
from sttk.toolkit.targets.litert.program import read_program

litert = pytest.importorskip("ai_edge_litert.interpreter")
SHAPE = (1, 12, 10, 4)


def drawn(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def integers(*values):
    return np.array(values, np.int32)


def one(kind, *constants, options="", first=0, result_shape=SHAPE, **fields):
    """A model of one operation; its computed input is the one at position ``first``."""
    flat = Flat("one")
    source = flat.tensor("x")
    flat.shape(source, list(SHAPE))
    inputs = [flat.constant(f"c{i}", each) for i, each in enumerate(constants)]
    inputs.insert(first, source)
    result = flat.operator(kind, inputs, flat.tensor("y"), options, **fields)
    flat.shape(result, list(result_shape))
    flat.between({"x": source}, {"y": result})
    return flat.to_bytes()


def outputs(content, path, x):
    """What LiteRT's reference kernels make of it, and what sttk's interpreter does."""
    path.write_bytes(content)
    model = litert.Interpreter(
        model_content=content,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
    )
    model.allocate_tensors()
    model.set_tensor(model.get_input_details()[0]["index"], x)
    model.invoke()
    wanted = model.get_tensor(model.get_output_details()[0]["index"])
    return wanted, Interpreter(read_program(path)).run(x)


def conv(padding, stride=1, dilation=1, fused=0):
    return {
        "padding": padding, "strideH": stride, "strideW": stride, "dilationHFactor": dilation,
        "dilationWFactor": dilation, "fusedActivationFunction": fused,
    }  # fmt: skip


CONV, DEPTHWISE = {"options": "Conv2DOptions"}, {"options": "DepthwiseConv2DOptions"}
BACK = {"options": "TransposeConvOptions", "first": 2}
W, D, B = drawn(6, 3, 3, 4), drawn(1, 3, 3, 8, seed=2), drawn(6, seed=3)
NEAREST, BILINEAR = ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"), (
    "RESIZE_BILINEAR", "ResizeBilinearOptions",
)  # fmt: skip
SIDES = integers((0, 0), (2, 1), (1, 3), (0, 0))
SLICED = (integers(0, 2, 1, 0), integers(1, -1, 8, 4), integers(1, 2, 1, 1))
AXES = {"options": "ReducerOptions", "keepDims": True}

CASES = {
    "conv": ("CONV_2D", W, B, CONV | conv(1)),
    "conv of the same size": ("CONV_2D", W, B, CONV | conv(0)),
    "conv with a stride": ("CONV_2D", W, B, CONV | conv(0, 2)),
    "conv with a dilation": ("CONV_2D", W, B, CONV | conv(0, 1, 2)),
    "conv and relu6": ("CONV_2D", W, B, CONV | conv(0, 2, fused=3)),
    "conv in groups": ("CONV_2D", drawn(6, 3, 3, 2), B, CONV | conv(1)),
    "depthwise": (
        "DEPTHWISE_CONV_2D", D, drawn(8), DEPTHWISE | conv(0, 2) | {"depthMultiplier": 2}
    ),
    "transposed, of the same size": (
        "TRANSPOSE_CONV", integers(1, 24, 20, 6), W,
        BACK | {"padding": 0, "strideH": 2, "strideW": 2},
    ),
    "transposed": (
        "TRANSPOSE_CONV", integers(1, 25, 21, 6), W,
        BACK | {"padding": 1, "strideH": 2, "strideW": 2},
    ),
    "add": ("ADD", drawn(1, 1, 1, 4), {"options": "AddOptions", "fusedActivationFunction": 1}),
    "sub": ("SUB", drawn(), {"options": "SubOptions"}),
    "mul": ("MUL", drawn(1, 12, 10, 4), {"options": "MulOptions", "fusedActivationFunction": 3}),
    "div": ("DIV", drawn(1, 1, 1, 4), {"options": "DivOptions"}),
    "maximum": ("MAXIMUM", drawn(), {"options": "MaximumMinimumOptions"}),
    "minimum": ("MINIMUM", drawn(), {"options": "MaximumMinimumOptions"}),
    "squared difference": ("SQUARED_DIFFERENCE", drawn(1, 1, 1, 4), {}),
    "prelu": ("PRELU", drawn(1, 1, 4), {}),
    "leaky relu": ("LEAKY_RELU", {"options": "LeakyReluOptions", "alpha": 0.3}),
    "mean": ("MEAN", integers(1, 2), AXES),
    "mean without the axes": ("MEAN", integers(1, 2), {"options": "ReducerOptions"}),
    "sum": ("SUM", integers(1, 2), AXES),
    "pad": ("PAD", SIDES, {"options": "PadOptions"}),
    "pad with a value": ("PADV2", SIDES, np.float32(3).reshape(1), {"options": "PadV2Options"}),
    "reflect": ("MIRROR_PAD", SIDES, {"options": "MirrorPadOptions", "mode": 0}),
    "symmetric": ("MIRROR_PAD", SIDES, {"options": "MirrorPadOptions", "mode": 1}),
    "depth to space": ("DEPTH_TO_SPACE", {"options": "DepthToSpaceOptions", "blockSize": 2}),
    "space to depth": ("SPACE_TO_DEPTH", {"options": "SpaceToDepthOptions", "blockSize": 2}),
    "transpose": ("TRANSPOSE", integers(0, 2, 3, 1), {"options": "TransposeOptions"}),
    "reshape": ("RESHAPE", integers(1, 10, -1, 4), {"options": "ReshapeOptions"}),
    "concatenation": (
        "CONCATENATION", drawn(1, 12, 10, 2), {"options": "ConcatenationOptions", "axis": -1}
    ),
    "slice": (
        "SLICE", integers(0, 2, 1, 0), integers(1, 5, -1, 4),
        {"options": "SliceOptions", "result_shape": (1, 5, 9, 4)},
    ),
    "strided slice": (
        "STRIDED_SLICE", *SLICED, {"options": "StridedSliceOptions", "endMask": 0b1000}
    ),
    "gather": ("GATHER", integers(2, 0, 1), {"options": "GatherOptions", "axis": 3}),
    **{kind: (kind, {}) for kind in ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "TANH")},
    **{kind: (kind, {}) for kind in ("LOGISTIC", "ABS", "NEG", "EXP", "HARD_SWISH", "SQUARE")},
    **{
        f"{kind} to {size} {align} {half}": (
            kind, integers(*size),
            {"options": table, "alignCorners": align, "halfPixelCenters": half},
        )
        for kind, table in (NEAREST, BILINEAR)
        for size in ((24, 20), (7, 13))
        for align, half in ((False, False), (False, True), (True, False))
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_computes_what_litert_does(name, tmp_path):
    kind, *constants, given = CASES[name]
    x = drawn(*SHAPE, seed=9)
    wanted, found = outputs(one(kind, *constants, **given), tmp_path / "m.tflite", x)
    assert found.shape == wanted.shape
    # What float32 can lose in sums of some forty products and in functions by approximation.
    assert np.abs(found - wanted).max() <= 64 * np.finfo(np.float32).eps * np.abs(wanted).max()


@pytest.mark.parametrize("kind", ["SQRT", "RSQRT"])
def test_roots(kind, tmp_path):
    x = np.abs(drawn(*SHAPE)) + 0.1
    wanted, found = outputs(one(kind), tmp_path / "m.tflite", x)
    assert np.abs(found - wanted).max() <= 8 * np.finfo(np.float32).eps * wanted.max()


def test_a_quantiser_rounds_to_its_levels(tmp_path):
    flat = Flat("quantised")
    source = flat.tensor("x")
    flat.shape(source, list(SHAPE))
    scale = Scale(np.array([0.1]), np.array([3]))
    stored = flat.operator("QUANTIZE", [source], flat.tensor("q", "int8", scale))
    result = flat.operator("DEQUANTIZE", [stored], flat.tensor("y"))
    flat.between({"x": source}, {"y": result})
    wanted, found = outputs(flat.to_bytes(), tmp_path / "m.tflite", drawn(*SHAPE) * 20)
    assert len(np.unique(found)) > 100
    assert np.abs(found - wanted).max() < 1e-5
