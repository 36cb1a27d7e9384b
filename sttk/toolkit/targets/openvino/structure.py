"""What an IR's graph says: its operations with their numbers, read without compiling it.

OpenVINO keeps a bias as a sum after its convolution, and an instance norm as a normalisation (MVN),
a product and a sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sttk.toolkit.targets import structure
from sttk.toolkit.targets.openvino.runner import read_ir
from sttk.toolkit.targets.structure import Array, NotReadError, Operation, Stored, Structure

_MODES = {"constant": "zeros", "reflect": "reflect", "edge": "edge"}
_FUNCTIONS = {"Relu": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid"}
# Not computed, or they move, sum or round values.
_PLAIN = {
    "Constant", "Parameter", "Result", "Convert", "FakeQuantize", "Concat", "ShapeOf", "Reshape",
    "Broadcast", "Squeeze", "Unsqueeze", "VariadicSplit", "Gather",
}  # fmt: skip
_BINARY = ("Add", "Subtract", "Multiply", "Divide")
_NUMBERS = ("Convert", "Reshape", "Subtract", "Multiply")
_NESTED = 8  # operations on a constant, such as a conversion and a product with its scale


def read(path: Path) -> Structure:
    """Read an IR's operations.

    Raises:
        ArtifactError: OpenVINO cannot load it.
        NotReadError: it is larger than a style net's.
    """
    try:
        nodes = read_ir(path).get_ordered_ops()
        constants = [node for node in nodes if node.get_type_name() == "Constant"]
        structure.check_bounds(nodes, (int(np.prod(node.shape)) for node in constants))
        return _read(nodes)
    # Some faults of a file only surface when a value is queried.
    except (RuntimeError, ValueError, TypeError) as error:
        raise NotReadError(" ".join(str(error).split())[:200]) from error


def _read(nodes: list[Any]) -> Structure:
    operations: list[Operation] = []
    unread: Counter[str] = Counter()
    used: set[str] = set()  # sums and products that were read as a part of another operation
    for node in nodes:
        kind = node.get_type_name()
        known = kind in _PLAIN or node.get_friendly_name() in used
        if known or not _is_float(node) or _is_constant(node):
            continue
        try:
            operations += _operation(node, used)
        except (NotReadError, KeyError, ValueError, TypeError, IndexError):
            unread[kind] += 1
    return Structure(operations, tuple(f"{count} {kind}" for kind, count in unread.items()))


def _is_float(node: Any) -> bool:
    return bool(node.get_output_element_type(0).is_real())


def _is_constant(node: Any) -> bool:
    """Whether it is a step from stored numbers to a weight, such as a product with a scale."""
    if node.get_type_name() not in _NUMBERS:
        return False
    try:
        constant(node.output(0))
    except NotReadError:
        return False
    return True


def _operation(node: Any, used: set[str]) -> Iterator[Operation]:
    kind, name = node.get_type_name(), str(node.get_friendly_name())
    if kind in _READERS:
        yield _READERS[kind](node, name, used)
    elif kind in _FUNCTIONS:
        yield structure.activation(name, _FUNCTIONS[kind])
    elif kind not in _BINARY or any(_is_many(port) for port in node.input_values()):
        raise NotReadError(kind)


def _is_many(port: Any) -> bool:
    """Whether a value is a constant of more than one number, such as a norm's gain."""
    try:
        return constant(port).values.size > 1
    except NotReadError:
        return False


def constant(port: Any, depth: int = 0) -> Stored:
    """Return a stored array that conversions, reshapes and dequantisation may follow.

    Raises:
        NotReadError: the value is computed.
    """
    node = port.get_node()
    kind = node.get_type_name()
    if kind == "Constant":
        array: Array = node.data
        return structure.stored(array) if array.dtype.kind == "f" else Stored(array)
    if depth > _NESTED or kind not in _NUMBERS:
        raise NotReadError(f"{node.get_friendly_name()} is computed")
    first = constant(node.input_value(0), depth + 1)
    if kind == "Convert":
        return first
    if kind == "Reshape":
        shape = node.get_output_partial_shape(0)
        sides = shape.to_shape() if shape.is_static else [first.values.size]
        return first.moved(lambda array: array.reshape(tuple(sides)))
    second = constant(node.input_value(1), depth + 1)
    np.broadcast_shapes(first.values.shape, second.values.shape)
    if kind == "Subtract" and first.values.dtype.kind == "i":
        return Stored(first.values.astype(np.float64) - second.values)
    if kind == "Multiply" and _is_whole(node.input_value(0), depth):
        return structure.quantised(first.values, second.values)
    raise NotReadError(f"{node.get_friendly_name()} is computed")


def _is_whole(port: Any, depth: int) -> bool:
    """Whether a constant is of integers, less a zero point perhaps."""
    for _ in range(_NESTED - min(depth, _NESTED)):
        node = port.get_node()
        if node.get_type_name() == "Constant":
            return bool(node.data.dtype.kind == "i")
        if not node.get_input_size():
            return False
        port = node.input_value(0)
    return False


def _numbers(node: Any, index: int) -> list[Any]:
    found: list[Any] = constant(node.input_value(index)).values.reshape(-1).tolist()
    return found


def _reader(node: Any, kind: str, used: set[str], size: int = 0) -> tuple[Any, Stored] | None:
    """Return the one reader of a node if it combines it with a constant, and the constant.

    ``size`` is the number of values that the constant has to have, 0 for any.
    """
    every = node.output(0).get_target_inputs()
    targets = [each for each in every if each.get_node().get_type_name() != "ShapeOf"]
    reader = targets[0].get_node() if len(targets) == 1 else None
    if reader is None or reader.get_type_name() != kind:
        return None
    try:
        found = constant(reader.input_value(1 - targets[0].get_index()))
    except NotReadError:
        return None
    if size and found.values.size != size:
        return None
    used.add(str(reader.get_friendly_name()))
    return reader, found


def _convolution(node: Any, name: str, used: set[str]) -> Operation:
    kind, given = node.get_type_name(), node.get_attributes()
    weight, groups = constant(node.input_value(1)), 1
    transposed = kind.endswith("BackpropData")
    if kind.startswith("Group"):
        groups, *rest = weight.values.shape
        shape = (groups * rest[0], *rest[1:])
        weight = weight.moved(lambda array: array.reshape(shape))
    if given["auto_pad"] != "explicit" or (transposed and node.get_input_size() > 2):
        raise NotReadError(f"{name}: pads that depend on the size")
    more = given.get("output_padding", [0, 0]) if transposed else [0, 0]
    ends = [end - each for end, each in zip(given["pads_end"], more, strict=True)]
    count = weight.values.shape[1] * groups if transposed else weight.values.shape[0]
    found = _reader(node, "Add", used, count)
    return structure.convolution(
        name,
        weight,
        found and found[1],
        stride=given["strides"],
        pads=(*given["pads_begin"], *ends),
        dilation=given["dilations"],
        groups=groups,
        transposed=transposed,
    )


def _norm(node: Any, name: str, used: set[str]) -> Operation:
    given = node.get_attributes()
    axes = {axis % 4 for axis in _numbers(node, 1)}
    if axes != {2, 3} or not given["normalize_variance"] or given["eps_mode"] != "INSIDE_SQRT":
        raise NotReadError(f"{name}: a normalisation of another kind")
    epsilon = structure.number(given["eps"])
    gain = _reader(node, "Multiply", used)
    bias = _reader(gain[0] if gain else node, "Add", used)
    return structure.norm(name, gain and gain[1], bias and bias[1], epsilon)


def _batch_norm(node: Any, name: str, used: set[str]) -> Operation:
    del used
    weights = [constant(node.input_value(index)) for index in range(1, 5)]
    epsilon = node.get_attributes()["epsilon"]
    return structure.batch_norm(name, weights, epsilon)


def _pad(node: Any, name: str, used: set[str]) -> Operation:
    del used
    mode = _MODES[node.get_attributes()["pad_mode"]]
    begin, end = _numbers(node, 1), _numbers(node, 2)
    value = _numbers(node, 3) if node.get_input_size() > 3 else [0]
    if len(begin) != 4 or any((*begin[:2], *end[:2])) or (mode == "zeros" and any(value)):
        raise NotReadError(f"{name}: pads of other axes, or with {value}")
    return structure.pad(name, mode, (*begin[2:], *end[2:]))


def _slice(node: Any, name: str, used: set[str]) -> Operation:
    del used
    starts, ends, steps = (_numbers(node, index) for index in (1, 2, 3))
    axes = _numbers(node, 4) if node.get_input_size() > 4 else list(range(len(starts)))
    sides = [0, 0, 0, 0]
    for axis, first, past, step in zip(axes, starts, ends, steps, strict=True):
        if axis % 4 < 2 or step != 1 or first < 0 or 0 <= past < 1 << 30:
            raise NotReadError(f"{name}: no crop")
        sides[axis % 4 - 2], sides[axis % 4] = first, -past if past < 0 else 0
    return structure.crop(name, sides)


def _resize(node: Any, name: str, used: set[str]) -> Operation:
    del used
    given, factors = node.get_attributes(), _numbers(node, 1)
    if given["shape_calculation_mode"] != "scales" or len(factors) not in (2, 4):
        raise NotReadError(f"{name}: an upsampling to a size")
    mode = "linear" if given["mode"].startswith("linear") else given["mode"]
    return structure.resize(name, mode, factors[-2:])


def _shuffle(node: Any, name: str, used: set[str]) -> Operation:
    del used
    given = node.get_attributes()
    if given["mode"] != "depth_first":
        raise NotReadError(f"{name}: the phase lies before the channel")
    return structure.shuffle(name, given["block_size"])


def _leaky_relu(node: Any, name: str, used: set[str]) -> Operation:
    del used
    (slope,) = _numbers(node, 1)
    return structure.activation(name, "leaky relu", slope=slope)


def _clamp(node: Any, name: str, used: set[str]) -> Operation:
    del used
    given = node.get_attributes()
    return structure.activation(name, "clamp", low=given["min"], high=given["max"])


def _maximum(node: Any, name: str, used: set[str]) -> Operation:
    """Read a lower bound, and the upper one of the minimum after it."""
    low = next(each for each in map(_single, node.input_values()) if each is not None)
    high = _reader(node, "Minimum", used, 1)
    bound = float(high[1].values.reshape(-1)[0]) if high else np.inf
    return structure.activation(name, "clamp", low=low, high=bound)


def _single(port: Any) -> float | None:
    try:
        return float(constant(port).values.reshape(()))
    except (NotReadError, ValueError):
        return None


_READERS: dict[str, Callable[[Any, str, set[str]], Operation]] = {
    **dict.fromkeys(
        (
            "Convolution", "GroupConvolution", "ConvolutionBackpropData",
            "GroupConvolutionBackpropData",
        ),
        _convolution,
    ),
    "MVN": _norm,
    "BatchNormInference": _batch_norm,
    "Pad": _pad,
    "Slice": _slice,
    "Interpolate": _resize,
    "DepthToSpace": _shuffle,
    "PRelu": _leaky_relu,
    "Clamp": _clamp,
    "Maximum": _maximum,
}  # fmt: skip
