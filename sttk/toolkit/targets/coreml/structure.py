"""What a package's program says: its operations with their numbers, read without running it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sttk.toolkit.targets import structure
from sttk.toolkit.targets.coreml.interpreter import is_constant, value_of
from sttk.toolkit.targets.coreml.package import Package, load_function, read_package
from sttk.toolkit.targets.structure import Array, Forms, NotReadError, Operation, Stored, Structure

_MODES = {"constant": "zeros", "reflect": "reflect", "replicate": "edge"}
_FUNCTIONS = {"relu": "relu", "tanh": "tanh", "sigmoid": "sigmoid"}
# They move, sum or round values and have no numbers that are compared.
_PLAIN = {"cast", "concat", "quantize", "dequantize"}
_BINARY = ("add", "sub", "mul", "real_div")
_AFFINE, _BLOCKS = "constexpr_affine_dequantize", "constexpr_blockwise_shift_scale"
# As the exporter's: int8 weights have no smaller scale (exporters/coreml).
_LEAST_SCALE = 2.0**-13
_SMALLEST = 2.0**-24  # float16's


def read(path: Path) -> Structure:
    """Read a program's operations.

    Raises:
        ArtifactError: it is not a style net's package, or its weights are broken.
        NotReadError: it is larger than a style net's.
    """
    package = read_package(path)
    structure.check_bounds(package.operations, _sizes(package))
    operations: list[Operation] = []
    unread: Counter[str] = Counter()
    for op in load_function(package).operations:
        if is_constant(op):
            continue
        try:
            operations += _operation(op)
        # A program may leave a parameter out, or give it another type or shape.
        except (NotReadError, KeyError, ValueError, TypeError, AttributeError, IndexError):
            unread[str(op.op_type)] += 1
    kinds = tuple(f"{count} {kind}" for kind, count in unread.items())
    return Structure(operations, kinds, Forms(least_scale=_LEAST_SCALE))


def _sizes(package: Package) -> Iterator[int]:
    """Yield the number of values of each constant, by the spec alone."""
    for op in package.operations:
        if op.type == "const" or op.type.startswith("constexpr_"):
            for out in op.outputs:
                axes = out.type.tensorType.dimensions
                yield int(np.prod([float(axis.constant.size) for axis in axes]))


def _operation(op: Any) -> Iterator[Operation]:
    kind, name = str(op.op_type), str(op.name)
    if kind in _READERS:
        yield _READERS[kind](op, name)
    elif kind in _FUNCTIONS:
        yield structure.activation(name, _FUNCTIONS[kind])
    elif kind not in _PLAIN and (kind not in _BINARY or _has_weights(op)):
        raise NotReadError(kind)


def _has_weights(op: Any) -> bool:
    found = [var for var in (op.inputs["x"], op.inputs["y"]) if is_constant(var.op)]
    return any(np.size(value_of(var)) > 1 for var in found)


def _value(op: Any, key: str) -> Any:
    """Return a parameter. Raises NotReadError if it is computed or left out."""
    var = op.inputs.get(key)
    if var is None or not is_constant(var.op):
        raise NotReadError(f"{op.name}: {key} is no constant")
    return value_of(var)


def _numbers(op: Any, key: str) -> list[int]:
    return [int(each) for each in np.ravel(_value(op, key))]


def _weights(op: Any, key: str) -> Stored | None:
    """Return weights with the error of their storage; None if there are none."""
    var = op.inputs.get(key)
    if var is None:
        return None
    values, kind = _value(op, key), var.op.op_type
    if kind == "const":
        return structure.stored(values)
    if kind not in (_AFFINE, _BLOCKS):
        raise NotReadError(f"{op.name}: weights by {kind}")
    # The scale is a float16 number, and so is its product with the level.
    twice = 2 * structure.HALF_ULP_16
    return Stored(values.astype(np.float32), twice, _steps(var.op, values) / 2)


def _steps(op: Any, values: Array) -> Array:
    """Return the step between the levels of each compressed weight, to be broadcast."""
    scale = np.abs(np.asarray(op.scale.val, np.float64))
    if op.op_type == _AFFINE:
        return structure.along(scale, int(op.axis.val), values.ndim)
    for axis, (side, count) in enumerate(zip(values.shape, scale.shape, strict=True)):
        scale = np.repeat(scale, side // count, axis)
    return scale


def _present(op: Any, key: str) -> Stored:
    found = _weights(op, key)
    if found is None:
        raise NotReadError(f"{op.name}: no {key}")
    return found


def _convolution(op: Any, name: str) -> Operation:
    transposed, kind = op.op_type == "conv_transpose", str(_value(op, "pad_type"))
    if kind not in ("valid", "custom"):
        raise NotReadError(f"{name}: pads that depend on the size")
    top, bottom, left, right = _numbers(op, "pad") if kind == "custom" else (0, 0, 0, 0)
    stride = _numbers(op, "strides")
    weight = _present(op, "weight")
    pads = [top, left, bottom, right]
    if transposed and op.inputs.get("output_shape") is not None:
        wanted, kernel, given = _numbers(op, "output_shape"), weight.values.shape[2:], op.x.shape
        for axis in (0, 1):
            whole = (int(given[2 + axis]) - 1) * stride[axis] + kernel[axis]
            pads[2 + axis] = whole - pads[axis] - wanted[2 + axis]
    return structure.convolution(
        name, weight, _weights(op, "bias"), stride=stride, pads=pads,
        dilation=_numbers(op, "dilations"), groups=int(_value(op, "groups")), transposed=transposed,
    )  # fmt: skip


def _norm(op: Any, name: str) -> Operation:
    epsilon = structure.number(_value(op, "epsilon"))
    if epsilon.least:
        # coremltools writes float16's smallest number for any smaller epsilon, rather than 0.
        epsilon = dataclasses.replace(epsilon, least=_SMALLEST)
    return structure.norm(name, _weights(op, "gamma"), _weights(op, "beta"), epsilon)


def _batch_norm(op: Any, name: str) -> Operation:
    keys = ("gamma", "beta", "mean", "variance")
    epsilon = float(_value(op, "epsilon"))
    return structure.batch_norm(name, [_present(op, key) for key in keys], epsilon)


def _pad(op: Any, name: str) -> Operation:
    mode, amounts = _MODES[str(_value(op, "mode"))], _numbers(op, "pad")
    *others, top, bottom, left, right = [0] * (4 - min(len(amounts), 4)) + amounts
    if any(others) or (mode == "zeros" and float(_value(op, "constant_val"))):
        raise NotReadError(f"{name}: pads of other axes, or with a number")
    return structure.pad(name, mode, (top, left, bottom, right))


def _crop(op: Any, name: str) -> Operation:
    (top, bottom), (left, right) = _numbers(op, "crop_height"), _numbers(op, "crop_width")
    return structure.crop(name, (top, left, bottom, right))


def _slice(op: Any, name: str) -> Operation:
    masks = {key: np.ravel(_value(op, key)) if op.inputs.get(key) is not None else [False] * 4
             for key in ("begin_mask", "end_mask")}  # fmt: skip
    sides = [0, 0, 0, 0]
    for axis, (first, past) in enumerate(
        zip(_numbers(op, "begin"), _numbers(op, "end"), strict=True)
    ):
        first = 0 if masks["begin_mask"][axis] else first  # noqa: PLW2901
        side = op.x.shape[axis]
        cut = 0 if masks["end_mask"][axis] else -past if past < 0 else int(side) - past
        if first < 0 or (axis < 2 and (first or cut)):
            raise NotReadError(f"{name}: no crop")
        if axis >= 2:
            sides[axis - 2], sides[axis] = first, cut
    strides = _numbers(op, "stride") if op.inputs.get("stride") is not None else [1]
    if {*strides} != {1}:
        raise NotReadError(f"{name}: a slice with steps")
    return structure.crop(name, sides)


def _resize(op: Any, name: str) -> Operation:
    mode = "linear" if op.op_type == "upsample_bilinear" else "nearest"
    factors = [float(_value(op, f"scale_factor_{side}")) for side in ("height", "width")]
    return structure.resize(name, mode, factors)


def _shuffle(op: Any, name: str) -> Operation:
    return structure.shuffle(name, int(_value(op, "upscale_factor")))


def _leaky_relu(op: Any, name: str) -> Operation:
    operation = structure.activation(name, "leaky relu")
    return Operation(operation.kind, name, operation.settings,
                     {"slope": structure.number(_value(op, "alpha"))})  # fmt: skip


def _clip(op: Any, name: str) -> Operation:
    low, high = (float(_value(op, key)) for key in ("alpha", "beta"))
    return structure.activation(name, "clamp", low=low, high=high)


def _relu6(_op: Any, name: str) -> Operation:
    return structure.activation(name, "clamp", low=0.0, high=6.0)


_READERS: dict[str, Callable[[Any, str], Operation]] = {
    "conv": _convolution,
    "conv_transpose": _convolution,
    "instance_norm": _norm,
    "batch_norm": _batch_norm,
    "pad": _pad,
    "crop": _crop,
    "slice_by_index": _slice,
    "upsample_nearest_neighbor": _resize,
    "upsample_bilinear": _resize,
    "pixel_shuffle": _shuffle,
    "leaky_relu": _leaky_relu,
    "clip": _clip,
    "relu6": _relu6,
}
