"""What exporters took apart: each pattern, in the forms that are met, and what only looks so."""

from __future__ import annotations

import numpy as np
import pytest

from sttk.toolkit.checkpoints.onnx_graph.patterns import canonical
from sttk.toolkit.checkpoints.onnx_graph.program import first_difference

R = np.random.default_rng(2)
GAMMA, BETA = (R.normal(size=(3, 1, 1)).astype(np.float32) for _ in range(2))
EPSILON = np.float32(1e-3)
NUMBERS = {"e": EPSILON, "two": np.float32(2), "one": np.float32(1), "half": np.float32(-0.5)}
NUMBERS |= {"g": GAMMA, "b": BETA, "tiny": np.float32(1e-9)}

MEAN = [("ReduceMean", ["x"], "m", {"axes": [2, 3]}), ("Sub", ["x", "m"], "d", {})]
VARIANCE = [("ReduceMean", ["q"], "v", {"axes": [2, 3]}), ("Add", ["v", "e"], "ve", {})]
SQUARE = [("Pow", ["d", "two"], "q", {})]
ROOT = [("Sqrt", ["ve"], "s", {})]
QUOTIENT = [("Div", ["d", "s"], "n", {})]
SCALED = [("Mul", ["n", "g"], "a", {}), ("Add", ["b", "a"], "out", {})]
# Windows and onnx.js before it had means over several axes.
FLAT = np.array([1, 3, 1, -1], np.int64)
FLAT_MEAN = [
    ("Reshape", ["x", "flat"], "xf", {}),
    ("ReduceMean", ["xf"], "m", {"axes": [3]}),
    ("Sub", ["x", "m"], "d", {}),
]
FLAT_VARIANCE = [
    ("Reshape", ["q", "flat"], "qf", {}),
    ("ReduceMean", ["qf"], "v", {"axes": [-1]}),
    ("Add", ["e", "v"], "ve", {}),
]
NORMS = {
    "torch": MEAN + SQUARE + VARIANCE + ROOT + QUOTIENT + SCALED,
    "a product": [*MEAN, ("Mul", ["d", "d"], "q", {}), *VARIANCE, *ROOT, *QUOTIENT, *SCALED],
    "not scaled": MEAN + SQUARE + VARIANCE + ROOT + QUOTIENT,
    "an inverse": [
        *MEAN, *SQUARE, *VARIANCE, *ROOT,
        ("Div", ["one", "s"], "i", {}), ("Mul", ["d", "i"], "n", {}), *SCALED,
    ],
    "a reciprocal": [
        *MEAN, *SQUARE, *VARIANCE, *ROOT,
        ("Reciprocal", ["s"], "i", {}), ("Mul", ["i", "d"], "n", {}), *SCALED,
    ],
    "a power": [
        *MEAN, *SQUARE, *VARIANCE,
        ("Pow", ["ve", "half"], "i", {}), ("Mul", ["i", "d"], "n", {}), *SCALED,
    ],
    "the scale in the inverse": [
        *MEAN, *SQUARE, *VARIANCE, *ROOT, ("Reciprocal", ["s"], "i", {}),
        ("Mul", ["i", "g"], "ig", {}), ("Mul", ["d", "ig"], "a", {}),
        ("Add", ["a", "b"], "out", {}),
    ],
    "the mean taken twice": [
        *MEAN, ("ReduceMean", ["x"], "m2", {"axes": [3, 2]}), ("Sub", ["x", "m2"], "d2", {}),
        ("Mul", ["d2", "d2"], "q", {}), *VARIANCE, *ROOT, *QUOTIENT, *SCALED,
    ],
    "flat": [*FLAT_MEAN, *SQUARE, *FLAT_VARIANCE, *ROOT, *QUOTIENT, *SCALED],
    "flat, the square moved": [
        *FLAT_MEAN, ("Add", ["d", "tiny"], "d1", {}), ("Mul", ["d", "d1"], "q", {}),
        *FLAT_VARIANCE, *ROOT, *QUOTIENT, *SCALED,
    ],
}  # fmt: skip


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.fixture
def picture(picture):
    """Far from a mean of 0, so that a norm that forgets it is seen."""
    return picture * np.array([1, 2, 0.5], np.float32).reshape(3, 1, 1) + 5


@pytest.mark.parametrize("form", NORMS)
def test_a_norm_is_whole_again(form, make_onnx, ort, traced, run, kinds, picture):
    path = make_onnx(NORMS[form], {**NUMBERS, "flat": FLAT})
    program = canonical(traced(path))
    assert kinds(program) == ["InstanceNorm2d"]
    assert program.steps[0].module.eps == EPSILON
    close(run(program, picture), ort(path, picture))


def changed(form, old, new):
    """A form with one node for another."""
    assert old in NORMS[form]
    return [new if node == old else node for node in NORMS[form]]


NOT_NORMS = {
    "over channels": changed("torch", MEAN[0], ("ReduceMean", ["x"], "m", {"axes": [1]})),
    "over rows": changed("torch", MEAN[0], ("ReduceMean", ["x"], "m", {"axes": [2]})),
    "of the layer": changed("torch", VARIANCE[0], ("ReduceMean", ["q"], "v", {"axes": [1, 2, 3]})),
    "a sum": changed("torch", MEAN[0], ("ReduceSum", ["x", "hw"], "m", {})),
    "of the square of the picture": changed("torch", SQUARE[0], ("Pow", ["x", "two"], "q", {})),
    "a fourth power": changed("torch", SQUARE[0], ("Pow", ["d", "four"], "q", {})),
    "no root": changed("torch", ROOT[0], ("Identity", ["ve"], "s", {})),
    "a root too many": changed("torch", ROOT[0], ("Pow", ["ve", "quarter"], "s", {})),
    "the picture over the root": changed("torch", QUOTIENT[0], ("Div", ["x", "s"], "n", {})),
    "times the root": changed("torch", QUOTIENT[0], ("Mul", ["d", "s"], "n", {})),
    "an epsilon for each channel": changed("torch", VARIANCE[1], ("Add", ["v", "es"], "ve", {})),
    "the variance of another": [
        *NORMS["torch"][:2],
        ("Exp", ["x"], "y", {}),
        ("ReduceMean", ["y"], "my", {"axes": [2, 3]}),
        ("Sub", ["y", "my"], "dy", {}),
        ("Pow", ["dy", "two"], "q", {}),
        *NORMS["torch"][3:],
    ],
    "of rows turned": [
        ("Transpose", ["x"], "t", {"perm": [0, 2, 1, 3]}),
        ("Reshape", ["t", "flat"], "xf", {}),
        *NORMS["flat"][1:],
    ],
    "of all channels": changed("flat", FLAT_MEAN[0], ("Reshape", ["x", "parts"], "xf", {})),
}


@pytest.mark.parametrize("form", NOT_NORMS)
def test_what_is_no_instance_norm_stays(form, make_onnx, ort, traced, run, kinds, picture):
    weights = {**NUMBERS, "flat": FLAT, "parts": np.array([1, 1, 1, -1], np.int64)}
    weights |= {"hw": np.array([2, 3], np.int64), "es": np.abs(GAMMA), "four": np.float32(4)}
    weights |= {"quarter": np.float32(0.25)}
    path = make_onnx(NOT_NORMS[form], weights)
    program = canonical(traced(path))
    assert "InstanceNorm2d" not in kinds(program)
    close(run(program, picture), ort(path, picture))


def test_a_norm_that_is_used_twice_keeps_its_scale(make_onnx, ort, traced, run, kinds, picture):
    nodes = [*NORMS["not scaled"], *SCALED, ("Mul", ["n", "out"], "last", {})]
    path = make_onnx(nodes, NUMBERS)
    program = canonical(traced(path))
    assert kinds(program) == ["InstanceNorm2d", "Affine", "Binary"]
    close(run(program, picture), ort(path, picture))


def grouped(groups):
    """A group norm as torch exports it."""
    weights = {"one": np.ones(groups, np.float32), "zero": np.zeros(groups, np.float32)}
    weights |= {"flat": np.array([0, groups, -1], np.int64), "g": GAMMA, "b": BETA}
    nodes = [
        ("Reshape", ["x", "flat"], "f", {}),
        ("InstanceNormalization", ["f", "one", "zero"], "i", {"epsilon": 1e-3}),
        ("Shape", ["x"], "s", {}),
        ("Reshape", ["i", "s"], "n", {}),
        *SCALED,
    ]
    return nodes, weights


@pytest.mark.parametrize(("groups", "kind"), [(1, "GroupNorm"), (3, "InstanceNorm2d")])
def test_a_group_norm(groups, kind, make_onnx, ort, traced, run, kinds, picture):
    path = make_onnx(*grouped(groups), shape=(1, 3, "h", "w"))
    program = canonical(traced(path))
    assert kinds(program) == [kind]
    assert first_difference(program, canonical(traced(path, (16, 8)))) is None
    close(run(program, picture), ort(path, picture))


def test_what_is_no_group_norm_stays(make_onnx, ort, traced, run, kinds, picture):
    nodes, weights = grouped(1)
    nodes[3] = ("Reshape", ["i", "other"], "n", {})
    path = make_onnx(nodes, {**weights, "other": np.array([1, 3, 10, 12], np.int64)})
    program = canonical(traced(path))
    assert "GroupNorm" not in kinds(program)
    close(run(program, picture), ort(path, picture))


def doubled(first=(-1, 1), second=(-1, 20), third=(-1, 3, 24, 20), axis=1):
    """Nearest x2, as those wrote it who had no Upsample."""
    shapes = {name: np.array(shape, np.int64) for name, shape in
              (("r1", first), ("r2", second), ("r3", third))}  # fmt: skip
    nodes = [
        ("Reshape", ["x", "r1"], "f", {}),
        ("Add", ["f", "nothing"], "f0", {}),
        ("Concat", ["f", "f0"], "ff", {"axis": 1}),
        ("Reshape", ["ff", "r2"], "rows", {}),
        ("Concat", ["rows", "rows"], "double", {"axis": axis}),
        ("Reshape", ["double", "r3"], "out", {}),
    ]
    return nodes, {**shapes, "nothing": np.float32(0)}


def test_nearest_by_concatenation(make_onnx, ort, traced, run, kinds, picture):
    path = make_onnx(*doubled())
    program = canonical(traced(path))
    assert kinds(program) == ["Upsample"]
    close(run(program, picture), ort(path, picture))


@pytest.mark.parametrize(
    "change",
    [{"second": (-1, 40)}, {"first": (-1, 10)}, {"third": (-1, 3, 20, 24)}, {"axis": 0}],
)
def test_what_is_no_nearest_stays(change, make_onnx, ort, traced, run, kinds, picture):
    path = make_onnx(*doubled(**change))
    program = canonical(traced(path))
    assert "Upsample" not in kinds(program)
    close(run(program, picture), ort(path, picture))


def shuffled(order):
    """A pixel shuffle before DepthToSpace had one."""
    nodes = [
        ("Concat", ["x"] * 4, "y", {"axis": 1}),
        ("Reshape", ["y", "parts"], "p", {}),
        ("Transpose", ["p"], "t", {"perm": order}),
        ("Reshape", ["t", "whole"], "out", {}),
    ]
    return nodes, {
        "parts": np.array([-1, 3, 2, 2, 12, 10], np.int64),
        "whole": np.array([-1, 3, 24, 20], np.int64),
    }


def test_a_pixel_shuffle(make_onnx, ort, traced, run, kinds, picture):
    path = make_onnx(*shuffled([0, 1, 4, 2, 5, 3]))
    program = canonical(traced(path))
    assert kinds(program) == ["Concat", "PixelShuffle"]
    close(run(program, picture), ort(path, picture))


def test_what_is_no_pixel_shuffle_stays(make_onnx, ort, traced, run, kinds, picture):
    path = make_onnx(*shuffled([0, 1, 4, 3, 5, 2]))
    program = canonical(traced(path))
    assert "PixelShuffle" not in kinds(program)
    close(run(program, picture), ort(path, picture))


def deconvolved(border, **attributes):
    """A transposed convolution and a crop, as Torch7's SpatialFullConvolution comes out."""
    weight = R.normal(size=(3, 2, 3, 3)).astype(np.float32)
    deconv = ("ConvTranspose", ["x", "w"], "y", {"strides": [2, 2], **attributes})
    return [deconv, ("Crop", ["y"], "out", {"border": border})], {"w": weight}


@pytest.mark.parametrize(
    ("border", "attributes", "whole"),
    [
        ([1, 1, 1, 1], {"output_shape": [26, 22]}, True),  # (left, top, right, bottom)
        ([1, 1, 0, 0], {}, True),
        ([2, 1, 1, 1], {"pads": [1, 1, 1, 1]}, True),
        ([0, 0, 1, 1], {}, False),
        ([2, 2, 0, 0], {}, False),
    ],
)
def test_a_cropped_deconvolution(
    border, attributes, whole, make_onnx, ort, traced, run, kinds, picture
):
    path = make_onnx(*deconvolved(border, **attributes), opset=9)
    program = canonical(traced(path))
    assert kinds(program) == ["ConvTranspose2d", "Crop"][: 1 if whole else 2]
    close(run(program, picture), ort(path, picture))


def test_scales_and_shifts_in_a_row_are_one(make_onnx, ort, traced, run, kinds, picture):
    nodes = [
        ("Mul", ["x", "g"], "1", {}),
        ("Mul", ["1", "one"], "2", {}),
        ("Sub", ["2", "b"], "3", {}),
        ("Div", ["3", "two"], "4", {}),
        ("Add", ["4", "e"], "out", {}),
    ]
    path = make_onnx(nodes, NUMBERS)
    program = canonical(traced(path))
    assert kinds(program) == ["Affine"]
    close(run(program, picture), ort(path, picture))


def test_a_shift_that_is_used_elsewhere_is_there_still(make_onnx, ort, traced, run, kinds, picture):
    nodes = [
        ("Mul", ["x", "g"], "1", {}),
        ("Add", ["1", "b"], "2", {}),
        ("Mul", ["1", "2"], "out", {}),
    ]
    path = make_onnx(nodes, NUMBERS)
    program = canonical(traced(path))
    assert kinds(program) == ["Affine", "Affine", "Binary"]
    assert program.steps[1].inputs == ("x",)
    close(run(program, picture), ort(path, picture))


def test_what_does_nothing_goes_and_what_broadcasts_stays(make_onnx, traced, kinds):
    zeros = {"z": np.zeros(1, np.float32), "wide": np.zeros((2, 1, 1, 1), np.float32)}
    nothing = [
        ("Identity", ["x"], "1", {}),
        ("Add", ["1", "z"], "2", {}),
        ("Pad", ["2", "p"], "3", {}),
        ("Relu", ["3"], "out", {}),
    ]
    pads = {"p": np.zeros(8, np.int64)}
    assert kinds(canonical(traced(make_onnx(nothing, zeros | pads)))) == ["ReLU"]
    wider = make_onnx([("Add", ["x", "wide"], "y", {}), ("Relu", ["y"], "out", {})], zeros)
    assert kinds(canonical(traced(wider))) == ["Binary", "ReLU"]


def test_a_dropped_last_step_leaves_the_one_before(make_onnx, ort, traced, run, picture):
    path = make_onnx([("Relu", ["x"], "y", {}), ("Identity", ["y"], "out", {})])
    program = canonical(traced(path))
    assert program.output == "y"
    close(run(program, picture), ort(path, picture))
