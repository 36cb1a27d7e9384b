"""Handlers of element-wise operations, and of those that move or average values."""

from __future__ import annotations

import numpy as np

from sttk.exporters.litert.lower import Lowering, Node, handles
from sttk.toolkit.core.errors import ExportError

_FUSED = {"Relu": "RELU"}
_UNARY = {
    "Relu": "RELU", "Tanh": "TANH", "Sigmoid": "LOGISTIC", "Sqrt": "SQRT", "Abs": "ABS",
    "Neg": "NEG", "Exp": "EXP", "HardSwish": "HARD_SWISH",
}  # fmt: skip
_BINARY = {"Add": "Add", "Sub": "Sub", "Mul": "Mul", "Div": "Div"}
# XNNPACK concatenates at most so many tensors.
_MOST_JOINED = 5
# Axes of (B, C, H, W) -> axes of (B, H, W, C).
_AXES = {0: 0, 1: 3, 2: 1, 3: 2, -1: 2, -2: 1, -3: 3, -4: 0}


@handles(*_UNARY)
def unary(node: Node, to: Lowering) -> None:
    """Lower an operation of one tensor; a ReLU is fused into the operator before it if possible."""
    source = to.value(node.inputs[0])
    alone = len(to.readers[node.inputs[0]]) == 1
    if alone and node.kind in _FUSED and to.flat.fuse(_FUSED[node.kind], source):
        to.done(node, source)
        return
    to.done(node, to.add(_UNARY[node.kind], [source], node.output))


@handles("LeakyRelu")
def leaky_relu(node: Node, to: Lowering) -> None:
    """Lower a leaky ReLU, whose slope may be ONNX's default."""
    alpha = node.attributes.get("alpha", 0.01)
    source = [to.value(node.inputs[0])]
    to.done(node, to.add("LEAKY_RELU", source, node.output, "LeakyReluOptions", alpha=alpha))


@handles("Identity", "Dropout", "Cast")
def same(node: Node, to: Lowering) -> None:
    """Lower an operation that changes nothing, such as a cast: all tensors are float32 here."""
    to.done(node, to.value(node.inputs[0]))


@handles(*_BINARY)
def binary(node: Node, to: Lowering) -> None:
    """Lower an operation of two tensors, of which one may be constant."""
    kind = _BINARY[node.kind]
    inputs = [to.value(name) for name in node.inputs]
    to.done(node, to.add(kind.upper(), inputs, node.output, f"{kind}Options"))


@handles("Clip")
def clip(node: Node, to: Lowering) -> None:
    """Lower a clip, whose bounds are inputs that may be missing."""
    tensor = to.value(node.inputs[0])
    for name, kind in zip(node.inputs[1:], ("MAXIMUM", "MINIMUM"), strict=False):
        if name:
            bound = to.numbers(to.new(name), to.constants[name].reshape(()))
            options = "MaximumMinimumOptions"
            tensor = to.add(kind, [tensor, bound], to.new(node.output), options)
    to.done(node, tensor)


@handles("Concat")
def concat(node: Node, to: Lowering) -> None:
    """Lower a concatenation along any axis."""
    tensors = [to.value(name) for name in node.inputs]
    to.done(node, join(to, tensors, _AXES[node.attributes["axis"]], node.output))


@handles("Slice")
def cut(node: Node, to: Lowering) -> None:
    """Lower a slice with constant bounds and steps of 1."""
    starts, ends, *others = (to.constants[name].tolist() for name in node.inputs[1:])
    axes = others[0] if others else list(range(len(starts)))
    if len(others) > 1 and set(others[1]) != {1}:
        raise ExportError(f"{node.name}: steps of {others[1]}")
    bounds = {_AXES[axis]: (a, b) for axis, a, b in zip(axes, starts, ends, strict=True)}
    to.done(node, part(to, to.value(node.inputs[0]), bounds, node.output))


@handles("Gather")
def gather(node: Node, to: Lowering) -> None:
    """Lower a gather of channels, such as from BGR to RGB."""
    indices = to.constants[node.inputs[1]]
    if indices.ndim != 1:
        raise ExportError(f"{node.name}: gathers by {indices.ndim} axes")
    inputs = [to.value(node.inputs[0]), to.numbers(to.new(node.name), indices)]
    axis = _AXES[node.attributes.get("axis", 0)]
    to.done(node, to.add("GATHER", inputs, node.output, "GatherOptions", axis=axis))


@handles("ReduceMean", "GlobalAveragePool")
def mean(node: Node, to: Lowering) -> None:
    """Lower a mean over axes, which stay with a length of 1."""
    if not node.attributes.get("keepdims", 1):
        raise ExportError(f"{node.name}: axes are dropped")
    named = to.constants[node.inputs[1]].tolist() if len(node.inputs) > 1 else None
    axes = [_AXES[axis] for axis in named or node.attributes.get("axes", (2, 3))]
    to.done(node, average(to, to.value(node.inputs[0]), axes, node.output))


def average(to: Lowering, tensor: int, axes: list[int], name: str) -> int:
    """Add a mean over axes of (B, H, W, C), which stay."""
    inputs = [tensor, to.numbers(to.new(name), np.array(sorted(axes)))]
    return to.add("MEAN", inputs, name, "ReducerOptions", keepDims=True)


def join(to: Lowering, tensors: list[int], axis: int, name: str) -> int:
    """Add a concatenation along an axis of (B, H, W, C)."""
    while len(tensors) > _MOST_JOINED:
        first = join(to, tensors[:_MOST_JOINED], axis, to.new(name))
        tensors = [first, *tensors[_MOST_JOINED:]]
    return to.add("CONCATENATION", tensors, name, "ConcatenationOptions", axis=axis)


def part(to: Lowering, tensor: int, bounds: dict[int, tuple[int, int]], name: str) -> int:
    """Add a slice along axes of (B, H, W, C), with bounds as in Python's slices."""
    begin, end, begins, ends = [0] * 4, [0] * 4, 0b1111, 0b1111
    for axis, (first, past) in bounds.items():
        begin[axis], begins = first, begins & ~(1 << axis)
        if past < 1 << 30:
            end[axis], ends = past, ends & ~(1 << axis)
    numbers = [np.array(each) for each in (begin, end, [1] * 4)]
    inputs = [tensor, *(to.numbers(to.new(name), each) for each in numbers)]
    options = "StridedSliceOptions"
    return to.add("STRIDED_SLICE", inputs, name, options, beginMask=begins, endMask=ends)


def depth_to_space(to: Lowering, tensor: int, block: int, name: str) -> int:
    """Add depth to space: (B, H, W, block^2 C), position first -> (B, H block, W block, C)."""
    options = "DepthToSpaceOptions"
    return to.add("DEPTH_TO_SPACE", [tensor], name, options, blockSize=block)
