"""Each operation, at the opsets where it changed, against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest

from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError
from sttk.toolkit.checkpoints.onnx_graph.operations import OPERATIONS

R = np.random.default_rng(1)
BIAS = R.normal(size=5).astype(np.float32)
THREE = R.normal(size=3).astype(np.float32)
POSITIVE = np.abs(THREE) + 0.1


def weight(*shape):
    return R.normal(size=shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def floats(*values):
    return np.array(values, np.float32)


CONV = {"w": weight(5, 3, 3, 3), "b": BIAS}
DECONV = {"w": weight(3, 5, 3, 3), "b": BIAS}
CASES = {
    "conv": ("Conv", ["x", "w", "b"], CONV, {"pads": [1, 1, 1, 1]}),
    "conv without bias": ("Conv", ["x", "w"], CONV, {"strides": [2, 2]}),
    "conv with other pads at the end": ("Conv", ["x", "w", "b"], CONV, {"pads": [0, 1, 2, 0]}),
    "conv same upper": ("Conv", ["x", "w"], CONV, {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "conv same lower": ("Conv", ["x", "w"], CONV, {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    "conv valid": ("Conv", ["x", "w", "b"], CONV, {"auto_pad": "VALID", "dilations": [2, 3]}),
    "conv by channel": ("Conv", ["x", "w"], {"w": weight(6, 1, 3, 3)}, {"group": 3}),
    "deconv": ("ConvTranspose", ["x", "w", "b"], DECONV, {"strides": [2, 2]}),
    "deconv pads": (
        "ConvTranspose",
        ["x", "w", "b"],
        DECONV,
        {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
    ),
    "deconv other pads": (
        "ConvTranspose",
        ["x", "w"],
        DECONV,
        {"strides": [3, 2], "pads": [2, 0, 0, 1], "dilations": [1, 2]},
    ),
    "deconv to a smaller shape": (
        "ConvTranspose",
        ["x", "w", "b"],
        DECONV,
        {"strides": [2, 2], "output_shape": [24, 20]},
    ),
    "deconv to a larger shape": (
        "ConvTranspose",
        ["x", "w", "b"],
        DECONV,
        {"strides": [2, 2], "output_shape": [26, 22], "auto_pad": "VALID"},
    ),
    "deconv same upper": (
        "ConvTranspose", ["x", "w"], DECONV, {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
    ),
    "deconv same lower": (
        "ConvTranspose", ["x", "w"], DECONV, {"strides": [2, 2], "auto_pad": "SAME_LOWER"},
    ),
    "deconv groups": (
        "ConvTranspose", ["x", "w"], {"w": weight(3, 2, 3, 3)}, {"group": 3, "strides": [2, 2]},
    ),
    "instance norm": (
        "InstanceNormalization", ["x", "s", "b"], {"s": THREE, "b": POSITIVE}, {"epsilon": 0.01},
    ),
    "batch norm": (
        "BatchNormalization",
        ["x", "s", "b", "m", "v"],
        {"s": THREE, "b": THREE, "m": THREE, "v": POSITIVE},
        {"epsilon": 0.1},
    ),
    "prelu": ("PRelu", ["x", "s"], {"s": THREE.reshape(3, 1, 1)}, {}),
    "prelu of one slope": ("PRelu", ["x", "s"], {"s": floats(0.3)}, {}),
    "leaky": ("LeakyRelu", ["x"], {}, {"alpha": 0.2}),
    "elu": ("Elu", ["x"], {}, {"alpha": 0.7}),
    "hard sigmoid": ("HardSigmoid", ["x"], {}, {}),
    "hard sigmoid of numbers": ("HardSigmoid", ["x"], {}, {"alpha": 0.5, "beta": 0.1}),
    "clip": ("Clip", ["x", "low", "high"], {"low": np.float32(-0.5), "high": np.float32(1)}, {}),
    "clip above": ("Clip", ["x", "", "high"], {"high": np.float32(0.3)}, {}),
    "relu6": ("Clip", ["x", "low", "high"], {"low": np.float32(0), "high": np.float32(6)}, {}),
    "add of channels": ("Add", ["x", "c"], {"c": THREE.reshape(3, 1, 1)}, {}),
    "add of a constant first": ("Add", ["c", "x"], {"c": THREE.reshape(1, 3, 1, 1)}, {}),
    "sub": ("Sub", ["x", "c"], {"c": floats(0.7)}, {}),
    "sub from": ("Sub", ["c", "x"], {"c": THREE.reshape(3, 1, 1)}, {}),
    "mul": ("Mul", ["x", "c"], {"c": np.float32(1.7)}, {}),
    "div": ("Div", ["x", "c"], {"c": POSITIVE.reshape(3, 1, 1)}, {}),
    "div of": ("Div", ["c", "x"], {"c": floats(2)}, {}),
    "mul by columns": ("Mul", ["x", "c"], {"c": weight(10)}, {}),
    "pow": ("Pow", ["x", "c"], {"c": floats(3)}, {}),
    "add of itself": ("Add", ["x", "x"], {}, {}),
    "concat": ("Concat", ["x", "x"], {}, {"axis": 1}),
    "concat of a constant": ("Concat", ["c", "x", "c"], {"c": weight(1, 2, 12, 10)}, {"axis": -3}),
    "reshape": ("Reshape", ["x", "s"], {"s": ints(0, -1, 4)}, {}),
    "transpose": ("Transpose", ["x"], {}, {"perm": [0, 2, 3, 1]}),
    "transpose without an order": ("Transpose", ["x"], {}, {}),
    "flatten": ("Flatten", ["x"], {}, {"axis": 2}),
    "cast": ("Cast", ["x"], {}, {"to": 1}),
    "mean of each channel": ("GlobalAveragePool", ["x"], {}, {}),
    "channels in another order": ("Gather", ["x", "i"], {"i": ints(2, -2, 0)}, {"axis": 1}),
    "depth to space": ("DepthToSpace", ["y"], {}, {"blocksize": 2, "mode": "DCR"}),
    "pixel shuffle": ("DepthToSpace", ["y"], {}, {"blocksize": 2, "mode": "CRD"}),
    "slice": ("Slice", ["x", "a", "z", "n"], {"a": ints(2), "z": ints(2**62), "n": ints(3)}, {}),
    "crop": (
        "Slice", ["x", "a", "z", "n"], {"a": ints(1, 2), "z": ints(-2, -1), "n": ints(-2, -1)}, {},
    ),
    "every other row": (
        "Slice", ["x", "a", "z", "n", "k"],
        {"a": ints(1), "z": ints(99), "n": ints(2), "k": ints(2)}, {},
    ),
    "channels turned round": (
        "Slice", ["x", "a", "z", "n", "k"],
        {"a": ints(-1), "z": ints(-99), "n": ints(1), "k": ints(-1)}, {},
    ),
    **{kind.lower(): (kind, ["x"], {}, {}) for kind in (
        "Relu", "Sigmoid", "Tanh", "Softplus", "HardSwish", "Identity", "Abs", "Neg", "Exp",
        "Floor", "Ceil", "Reciprocal",
    )},
    "sqrt": ("Sqrt", ["abs"], {}, {}),
    "log": ("Log", ["abs"], {}, {}),
}  # fmt: skip
# Made from the picture for the operations that need more channels, or no negative values.
BEFORE = {
    "abs": [("Abs", ["x"], "abs", {})],
    "y": [("Concat", ["x"] * 4, "y", {"axis": 1})],
}


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("opset", [14, 17, 23])
@pytest.mark.parametrize("case", CASES)
def test_as_onnx_runtime_does(case, opset, make_onnx, ort, traced, run, picture):
    kind, inputs, weights, attributes = CASES[case]
    before = [node for name in inputs for node in BEFORE.get(name, [])]
    path = make_onnx([*before, (kind, inputs, "out", attributes)], weights, opset=opset)
    close(run(traced(path), picture), ort(path, picture))


OLD = {
    "pad of opset 2": (10, "Pad", ["x"], {}, {"mode": "reflect", "pads": [0, 0, 2, 1, 0, 0, 3, 1]}),
    "pad": (12, "Pad", ["x", "p"], {"p": ints(0, 0, 2, 1, 0, 0, 3, 1)}, {"mode": "edge"}),
    "pad of a value": (
        13, "Pad", ["x", "p", "v"], {"p": ints(0, 0, 2, 1, 0, 0, 3, 1), "v": np.float32(0.7)}, {},
    ),
    "pad with axes": (
        18, "Pad", ["x", "p", "", "n"], {"p": ints(2, 1, 3, 1), "n": ints(-2, 3)},
        {"mode": "reflect"},
    ),
    "pads below zero": (13, "Pad", ["x", "p"], {"p": ints(0, 0, -2, -1, 0, 0, 0, -1)}, {}),
    "upsample of opset 7": (7, "Upsample", ["x"], {}, {"scales": [1.0, 1.0, 2.0, 3.0]}),
    "upsample of opset 9": (9, "Upsample", ["x", "s"], {"s": floats(1, 1, 2, 2)}, {}),
    "resize of opset 10": (10, "Resize", ["x", "s"], {"s": floats(1, 1, 2, 2)}, {}),
    "resize": (
        11, "Resize", ["x", "r", "s"], {"r": floats(), "s": floats(1, 1, 2, 2)},
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    ),
    "resize by default": (13, "Resize", ["x", "", "s"], {"s": floats(1, 1, 2, 4)}, {}),
    "resize to sizes": (13, "Resize", ["x", "", "", "z"], {"z": ints(1, 3, 24, 30)}, {}),
    "resize of named axes": (
        18, "Resize", ["x", "", "s"], {"s": floats(2, 2)}, {"axes": [2, 3]},
    ),
    "resize linear": (
        13, "Resize", ["x", "", "s"], {"s": floats(1, 1, 2, 1.5)}, {"mode": "linear"},
    ),
    "resize linear by corners": (
        13, "Resize", ["x", "", "s"], {"s": floats(1, 1, 2, 3)},
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    ),
    "clip of opset 6": (10, "Clip", ["x"], {}, {"min": 0.0, "max": 0.4}),
    "slice of opset 1": (9, "Slice", ["x"], {}, {"starts": [1], "ends": [-1], "axes": [3]}),
    "mean": (13, "ReduceMean", ["x"], {}, {"axes": [2, -1]}),
    "mean of opset 18": (18, "ReduceMean", ["x", "a"], {"a": ints(1)}, {"keepdims": 0}),
    "mean of all": (18, "ReduceMean", ["x"], {}, {}),
    "sum": (13, "ReduceSum", ["x", "a"], {"a": ints(1, 2)}, {}),
    "sum of opset 11": (11, "ReduceSum", ["x"], {}, {"axes": [1]}),
    "dropout": (11, "Dropout", ["x"], {}, {"ratio": 0.5}),
    "image scaler": (7, "ImageScaler", ["x"], {}, {"scale": 0.5, "bias": [1.0, -2.0, 3.0]}),
    "affine": (7, "Affine", ["x"], {}, {"alpha": 3.0, "beta": -1.0}),
    "crop": (7, "Crop", ["x"], {}, {"border": [1, 2, 3, 4]}),
    "crop to a size": (7, "Crop", ["x"], {}, {"border": [1, 2, 0, 0], "scale": [5, 6]}),
}  # fmt: skip


@pytest.mark.parametrize("case", OLD)
def test_of_other_opsets_as_onnx_runtime_does(case, make_onnx, ort, traced, run, picture):
    opset, kind, inputs, weights, attributes = OLD[case]
    path = make_onnx([(kind, inputs, "out", attributes)], weights, opset=opset)
    close(run(traced(path), picture), ort(path, picture))


def test_every_operation_is_tested():
    tested = {case[0] for case in CASES.values()} | {case[1] for case in OLD.values()}
    assert tested == set(OPERATIONS)


def test_a_constant_along_an_axis_before_opset_7(make_onnx, traced, run, picture):
    """ONNX Runtime runs nothing so old."""
    add = ("Add", ["x", "c"], "out", {"broadcast": 1, "axis": 1})
    path = make_onnx([add], {"c": THREE}, opset=6)
    close(run(traced(path), picture), picture + THREE.reshape(3, 1, 1))


def test_sizes_in_double_and_half_are_float32(make_onnx, traced, run, picture):
    for kind in (np.float64, np.float16):
        path = make_onnx([("Mul", ["x", "c"], "out", {})], {"c": np.array([1.5], kind)})
        close(run(traced(path), picture), picture * 1.5)


REFUSED = {
    "a filter of five axes": ("Conv", ["x", "w"], {"w": weight(5, 3, 3, 3, 3)}, {}, "shape"),
    "a filter that is computed": ("Conv", ["x", "x"], {}, {}, "its weight is no constant"),
    "a filter of other channels": ("Conv", ["x", "w"], {"w": weight(5, 4, 3, 3)}, {}, "not (N, 4,"),
    "an odd bias": ("Conv", ["x", "w", "b"], {"w": weight(5, 3, 3, 3), "b": THREE}, {}, "bias"),
    "no stride": ("Conv", ["x", "w"], CONV, {"strides": [0, 1]}, "strides"),
    "a stride that is a word": ("Conv", ["x", "w"], CONV, {"strides": "two"}, "is not a list"),
    "a filter larger than all": ("Conv", ["x", "w"], CONV, {"dilations": [9, 9]}, "19 pixels"),
    "padded channels": ("Pad", ["x", "p"], {"p": ints(0, 1, 0, 0, 0, 0, 0, 0)}, {}, "channels"),
    "wrapped pads": ("Pad", ["x", "p"], {"p": ints(*[0, 0, 1, 1] * 2)}, {"mode": "wrap"}, "wrap"),
    "more reflected than there is": (
        "Pad", ["x", "p"], {"p": ints(*[0, 0, 12, 1] * 2)}, {"mode": "reflect"}, "be reflected",
    ),
    "nearest by halves": ("Resize", ["x", "", "s"], {"s": floats(1, 1, 1.5, 2)}, {}, "by 1.5"),
    "nearest from other pixels": (
        "Resize", ["x", "", "s"], {"s": floats(1, 1, 2, 2)}, {"nearest_mode": "ceil"}, "ceil",
    ),
    "cubic": ("Resize", ["x", "", "s"], {"s": floats(1, 1, 2, 2)}, {"mode": "cubic"}, "cubic"),
    "resized channels": ("Resize", ["x", "", "s"], {"s": floats(1, 2, 2, 2)}, {}, "scales"),
    "a huge scale": ("Resize", ["x", "", "s"], {"s": floats(1, 1, 1e9, 1)}, {}, "scales"),
    "odd sizes": ("Resize", ["x", "", "", "z"], {"z": ints(1, 3, 25, 20)}, {}, "resizes"),
    "training": (
        "BatchNormalization", ["x", *"abcd"], dict.fromkeys("abcd", THREE), {"training_mode": 1},
        "training",
    ),
    "rows gathered": ("Gather", ["x", "i"], {"i": ints(0)}, {"axis": 2}, "other than channels"),
    "channels that are not there": ("Gather", ["x", "i"], {"i": ints(3)}, {"axis": 1}, "of 3"),
    "whole numbers": ("Cast", ["x"], {}, {"to": 7}, "other than floats"),
    "a step back by two": (
        "Slice", ["x", "a", "z", "n", "k"],
        {"a": ints(-1), "z": ints(-99), "n": ints(1), "k": ints(-2)}, {}, "step of -2",
    ),
    "nothing left": (
        "Slice", ["x", "a", "z", "n"], {"a": ints(5), "z": ints(5), "n": ints(2)}, {}, "nothing is",
    ),
    "another number of values": ("Reshape", ["x", "s"], {"s": ints(7, -1)}, {}, "cannot be"),
    "more channels than blocks": ("DepthToSpace", ["x"], {}, {"blocksize": 2}, "3 channels"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_the_same_in_torch_is_refused(case, make_onnx, traced):
    kind, inputs, weights, attributes, reason = REFUSED[case]
    path = make_onnx([(kind, inputs, "out", attributes)], weights, opset=19)
    with pytest.raises(UnreadableError) as caught:
        traced(path)
    assert f"operation {kind} (node {kind} for out): " in str(caught.value)
    assert reason in str(caught.value)


def shape_arithmetic(last):
    """Twice the picture's size, as torch before 1.6 asked Resize for it."""
    return [
        ("Shape", ["x"], "s", {}),
        ("Gather", ["s", "two"], "h", {"axis": 0}),
        ("Gather", ["s", "three"], "w", {"axis": 0}),
        ("Cast", ["h"], "hf", {"to": 1}),
        ("Mul", ["hf", "factor"], "h2", {}),
        ("Floor", ["h2"], "hfl", {}),
        ("Cast", ["hfl"], "hi", {"to": 7}),
        ("Unsqueeze", ["hi", "zero"], "hu", {}),
        ("Mul", ["w", "times"], "w2", {}),
        ("Unsqueeze", ["w2", "zero"], "wu", {}),
        ("Slice", ["s", "zero", "twos", "zero"], "nc", {}),
        ("Concat", ["nc", "hu", "wu"], "sizes", {"axis": 0}),
        last,
    ]


def test_sizes_computed_from_the_pictures_own(make_onnx, ort, traced, run, kinds, picture):
    weights = {"two": np.int64(2), "three": np.int64(3), "factor": np.float32(2)}
    weights |= {"times": np.int64(2), "zero": ints(0), "twos": ints(2)}
    nodes = shape_arithmetic(("Resize", ["x", "", "", "sizes"], "out", {}))
    path = make_onnx(nodes, weights, shape=("n", 3, "h", "w"))
    program = traced(path)
    assert kinds(program) == ["Upsample"]
    close(run(program, picture), ort(path, picture))


def test_constants_are_folded(make_onnx, traced, kinds):
    """The pads of torch's exporter since opset 11, which it does not fold itself."""
    nodes = [
        ("ConstantOfShape", ["four"], "zeros", {}),
        ("Cast", ["zeros"], "whole", {"to": 7}),
        ("Concat", ["sides", "whole"], "all", {"axis": 0}),
        ("Reshape", ["all", "pairs"], "table", {}),
        ("Slice", ["table", "last", "first", "zero", "last"], "turned", {}),
        ("Transpose", ["turned"], "columns", {"perm": [1, 0]}),
        ("Reshape", ["columns", "last"], "flat", {}),
        ("Cast", ["flat"], "pads", {"to": 7}),
        ("Pad", ["x", "pads"], "out", {"mode": "reflect"}),
    ]
    weights = {"four": ints(4), "sides": ints(1, 2, 3, 4), "pairs": ints(-1, 2)}
    weights |= {"last": ints(-1), "first": ints(-(2**63) + 1), "zero": ints(0)}
    program = traced(make_onnx(nodes, weights))
    assert kinds(program) == ["ReflectionPad2d"]
    assert program.steps[0].module.padding == (1, 2, 3, 4)


def test_expand_where_equal_and_squeeze_of_constants(make_onnx, traced, kinds):
    nodes = [
        ("Equal", ["sizes", "minus"], "is", {}),
        ("Where", ["is", "ones", "sizes"], "wanted", {}),
        ("Expand", ["c", "wanted"], "wide", {}),
        ("Squeeze", ["wide", "zero"], "narrow", {}),
        ("Unsqueeze", ["narrow", "behind"], "scale", {}),
        ("Mul", ["x", "scale"], "out", {}),
    ]
    weights = {"sizes": ints(-1, 3), "minus": ints(-1), "ones": ints(1, 1), "c": floats(2)}
    weights |= {"zero": ints(0), "behind": ints(1, 2)}
    program = traced(make_onnx(nodes, weights))
    assert kinds(program) == ["Affine"]
    assert program.steps[0].module.scale.flatten().tolist() == [2, 2, 2]


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_a_size_that_is_half(mode, make_onnx, ort, traced, run, picture):
    how = {"mode": mode, "coordinate_transformation_mode": "half_pixel"}
    for target in ("sizes", "scales"):
        inputs = ["x", "", "", "z"] if target == "sizes" else ["x", "", "z"]
        value = ints(1, 3, 6, 5) if target == "sizes" else floats(1, 1, 0.5, 0.5)
        path = make_onnx([("Resize", inputs, "out", how)], {"z": value})
        np.testing.assert_allclose(run(traced(path), picture), ort(path, picture), atol=1e-6)


def test_sizes_computed_by_comparisons(make_onnx, ort, traced, run, kinds, picture):
    """Twice the picture's size, and not less than eight: torch.export writes Max for it."""
    nodes = [
        ("Shape", ["x"], "s", {}),
        ("Mul", ["s", "scale"], "t", {}),
        ("Max", ["t", "least"], "m", {}),
        ("Mod", ["m", "one"], "rest", {}),
        ("Greater", ["m", "least"], "larger", {}),
        ("Not", ["larger"], "smaller", {}),
        ("Or", ["larger", "smaller"], "any", {}),
        ("Where", ["any", "m", "rest"], "sizes", {}),
        ("Resize", ["x", "", "", "sizes"], "out", {}),
    ]
    weights = {"scale": ints(1, 1, 2, 2), "least": ints(1, 3, 8, 8), "one": ints(1, 1, 1, 1)}
    path = make_onnx(nodes, weights, shape=("n", 3, "h", "w"))
    assert kinds(traced(path)) == ["Upsample"]
    np.testing.assert_allclose(run(traced(path), picture), ort(path, picture), atol=1e-6)
