"""What a TFLite graph says: its operations with their numbers, in torch's channel order."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sttk.toolkit.targets import structure
from sttk.toolkit.targets.litert import patterns
from sttk.toolkit.targets.litert.file import BROKEN, File, Operator
from sttk.toolkit.targets.structure import Array, Forms, NotReadError, Operation, Structure

_FUNCTIONS = {"RELU": "relu", "TANH": "tanh", "LOGISTIC": "sigmoid"}
_FUSED = {1: "RELU", 3: "RELU6"}
_VALID = 1  # the schema's Padding.VALID
# They move, sum or round values and have no numbers that are compared.
_PLAIN = {"QUANTIZE", "DEQUANTIZE", "CONCATENATION"}
_BINARY = ("ADD", "SUB", "MUL", "DIV")
_SAME = ("QUANTIZE", "DEQUANTIZE")
_PATTERNS = (patterns.norm, patterns.affine, patterns.pad, patterns.resize)


def read(path: Path) -> Structure:
    """Read a file's operators.

    Raises:
        NotReadError: it is not a TFLite file, or is larger than a style net's.
    """
    reading = _Reading(File(path))
    for operator in reading.file.operators:
        if id(operator) in reading.used:
            continue
        try:
            reading.add(operator)
        except (NotReadError, *BROKEN):
            reading.unread[operator.kind] += 1
    kinds = tuple(f"{count} {kind}" for kind, count in reading.unread.items())
    return Structure(reading.operations, kinds, Forms(phases=True))


class _Reading:
    """A graph while it is traversed.

    Attributes:
        file: the graph.
        operations: the operations so far.
        unread: the operators that were not read, by kind.
        used: the operators that are a part of a pattern.
    """

    def __init__(self, file: File) -> None:
        self.file = file
        self.operations: list[Operation] = []
        self.unread: Counter[str] = Counter()
        self._makers: dict[int, int] = {}  # index of the operation that makes a tensor
        found = {id(each): self._pattern(each) for each in file.operators}
        self._found = {key: pattern for key, pattern in found.items() if pattern}
        self.used = {id(part) for each in self._found.values() for part in each.parts}

    def _pattern(self, operator: Operator) -> patterns.Pattern | None:
        for match in _PATTERNS:
            try:
                if found := match(self.file, operator):
                    return found
            except (NotReadError, *BROKEN):
                continue
        return None

    def add(self, operator: Operator) -> None:
        """Append what an operator says, with the activation that is fused into it."""
        pattern = self._found.get(id(operator))
        if pattern and self._is_of_unread(pattern):
            raise NotReadError("a scale and a shift of something that was not read")
        if pattern:
            self._append(operator, self._joined(pattern))
        elif operator.kind == "DEPTH_TO_SPACE":
            self._shuffle(operator)
        else:
            for operation in _operation(self.file, operator, self.used):
                self._append(operator, operation)
        fused = operator.options.get("fusedActivationFunction", 0)
        if fused:
            self.operations.append(_activation(self.file.name(operator.output), _FUSED[fused]))

    def _is_of_unread(self, pattern: patterns.Pattern) -> bool:
        """Return whether it scales what an unread operator made, and no convolution before it."""
        made = pattern.source in self.file.makers
        scales = pattern.operation.kind == structure.BATCH_NORM
        return scales and made and pattern.source not in self._makers

    def _append(self, operator: Operator, operation: Operation) -> None:
        self.operations.append(operation)
        self._makers[operator.output] = len(self.operations) - 1

    def _joined(self, pattern: patterns.Pattern) -> Operation:
        """Join the pad of the columns with that of the rows before it."""
        operation, last = pattern.operation, len(self.operations) - 1
        if operation.kind != structure.PAD or self._makers.get(pattern.source) != last:
            return operation
        rows = self.operations[last]
        if rows.kind != structure.PAD or rows.settings["mode"] != operation.settings["mode"]:
            return operation
        sides = [each.settings["sides"] for each in (rows, operation)]
        both = [a + b for a, b in zip(*sides, strict=True)]
        if sides[0][1] or sides[0][3]:  # type: ignore[index]
            return operation
        self.operations.pop()
        return structure.pad(operation.name, str(operation.settings["mode"]), both)

    def _shuffle(self, operator: Operator) -> None:
        """Read a depth to space, which has the phase first, and turn the convolution before it."""
        source, factor = operator.inputs[0], int(operator.options["blockSize"])
        while source not in self._makers and (same := self.file.maker(source, *_SAME)):
            source = same.inputs[0]
        index = self._makers[source]
        convolution = self.operations[index]
        if convolution.kind != structure.CONVOLUTION:
            raise NotReadError("a depth to space after no convolution")

        def turned(array: Array) -> Array:
            rest = array.shape[1:]
            phases = array.reshape(factor**2, -1, *rest)
            found: Array = phases.swapaxes(0, 1).reshape(-1, *rest)
            return found

        values = {key: each.moved(turned) for key, each in convolution.values.items()}
        self.operations[index] = dataclasses.replace(convolution, values=values)
        self._append(operator, structure.shuffle(self.file.name(operator.output), factor))


def _operation(file: File, operator: Operator, used: set[int]) -> Iterator[Operation]:
    kind, name = operator.kind, file.name(operator.output)
    if kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        yield _convolution(file, operator, name)
    elif kind in ("PAD", "MIRROR_PAD"):
        yield _pad(file, operator, name)
    elif kind == "STRIDED_SLICE":
        yield _crop(file, operator, name)
    elif kind == "LEAKY_RELU":
        yield structure.activation(name, "leaky relu", slope=operator.options["alpha"])
    elif kind == "MAXIMUM":
        yield _clamp(file, operator, name, used)
    elif kind in _FUNCTIONS or kind == "RELU6":
        yield _activation(name, kind)
    elif kind not in _PLAIN and (kind not in _BINARY or _has_weights(file, operator)):
        raise NotReadError(kind)


def _has_weights(file: File, operator: Operator) -> bool:
    stored = [each for each in operator.inputs if file.is_stored(each)]
    return any(file.weights(each).values.size > 1 for each in stored)


def _activation(name: str, kind: str) -> Operation:
    if kind == "RELU6":
        return structure.activation(name, "clamp", low=0.0, high=6.0)
    return structure.activation(name, _FUNCTIONS[kind])


def _convolution(file: File, operator: Operator, name: str) -> Operation:
    given, weight = operator.options, file.weights(operator.inputs[1])
    if given["padding"] != _VALID:
        raise NotReadError(f"{name}: pads that depend on the size")
    # A grouped convolution has no number of its groups: its weights take a part of the channels.
    taken = weight.values.shape[3]
    groups, axes = max(1, file.channels(operator.inputs[0]) // max(1, taken)), (0, 3, 1, 2)
    if operator.kind == "DEPTHWISE_CONV_2D":
        groups, axes = weight.values.shape[3] // max(1, given["depthMultiplier"]), (3, 0, 1, 2)
    return structure.convolution(
        name,
        weight.moved(lambda array: array.transpose(axes)),
        file.weights(operator.inputs[2]) if len(operator.inputs) > 2 else None,
        stride=(given["strideH"], given["strideW"]),
        dilation=(given["dilationHFactor"], given["dilationWFactor"]),
        groups=groups,
    )


def _pad(file: File, operator: Operator, name: str) -> Operation:
    amounts = file.array(operator.inputs[1])
    if amounts.shape != (4, 2) or amounts[0].any() or amounts[3].any():
        raise NotReadError(f"{name}: pads of other axes")
    if operator.kind == "MIRROR_PAD" and operator.options["mode"]:
        raise NotReadError(f"{name}: a pad that repeats the edge and reflects")
    mode = "reflect" if operator.kind == "MIRROR_PAD" else "zeros"
    (top, bottom), (left, right) = amounts[1:3].tolist()
    return structure.pad(name, mode, (top, left, bottom, right))


def _crop(file: File, operator: Operator, name: str) -> Operation:
    sides = [0, 0, 0, 0]
    for axis, (first, past) in patterns.bounds_of(file, operator).items():
        if axis not in (1, 2) or first < 0 or (past is not None and past >= 0):
            raise NotReadError(f"{name}: no crop")
        sides[axis - 1], sides[axis + 1] = first, -(past or 0)
    return structure.crop(name, sides)


def _clamp(file: File, operator: Operator, name: str, used: set[int]) -> Operation:
    """Read a lower bound, and the upper one of the minimum after it."""
    low, high = float(file.array(operator.inputs[1]).reshape(-1)[0]), np.inf
    readers = file.readers.get(operator.output, [])
    if len(readers) == 1 and readers[0].kind == "MINIMUM":
        high = float(file.array(readers[0].inputs[1]).reshape(-1)[0])
        used.add(id(readers[0]))
    return structure.activation(name, "clamp", low=low, high=high)
