"""The graph of a ``.tflite`` file, read into plain values: tensors and operations.

A file is a flatbuffer by the schema in LiteRT's package. Nothing in it is trusted: every count is
checked before anything is made of it, constants are views of the file's bytes, and what does not
fit together is refused.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.io.files import read_flatbuffer
from sttk.toolkit.targets.litert.schema import OPTIONS, TYPES

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema
else:
    schema = Lazy("ai_edge_litert.schema_py_generated", "litert")

Array = NDArray[Any]
IDENTIFIER = b"TFL3"
MOST_BYTES = 1 << 28  # ours take 0.2 to 7 MB
ABSENT = -1  # the number of an optional input that is left out
# Style nets have some hundreds of operations, and up to ten million weights.
_MOST_ITEMS, _MOST_AXES, _MOST_INPUTS, _MOST_VALUES = 1 << 14, 6, 1 << 10, 1 << 26
# What flatbuffers, numpy and Python raise where an offset or a length leads out of the file.
_BROKEN = (struct.error, ValueError, IndexError, TypeError, OverflowError, AttributeError)


@dataclass(frozen=True, eq=False)
class Quantisation:
    """The real values of a quantised tensor: (stored - zero point) scale.

    Attributes:
        scales: one scale, or one for each index along ``axis``.
        zero_points: one zero point for each scale.
        axis: the axis of several scales.
    """

    scales: NDArray[np.float64]
    zero_points: NDArray[np.int64]
    axis: int

    def along(self, values: Array, rank: int) -> Array:
        """Return scales or zero points, shaped to be broadcast against a tensor of ``rank``."""
        shape = [1] * rank
        if values.size > 1:
            shape[self.axis] = values.size
        return values.reshape(shape)


@dataclass(frozen=True, eq=False)
class TensorInfo:
    """A tensor of the graph.

    Attributes:
        name: its name, for people.
        kind: the name of its type, as numpy has it.
        shape: its shape in the file; 1 stands for a free axis.
        signature: the same, with -1 for free axes.
        quantisation: how stored integers are read as real values, or None.
        data: its values as they are stored, if it is constant, else None.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    quantisation: Quantisation | None = None
    data: Array | None = None

    @property
    def real(self) -> Array:
        """The real values of a constant: float64 if it is quantised, else as they are stored.

        Raises:
            ValueError: it is not constant.
        """
        if self.data is None:
            raise ValueError(f"{self.name} is no constant")
        if self.quantisation is None:
            return self.data
        found, rank = self.quantisation, self.data.ndim
        zero_points = found.along(found.zero_points, rank)
        real: Array = (self.data - zero_points) * found.along(found.scales, rank)
        return real


@dataclass(frozen=True)
class Operation:
    """An operation of the graph.

    Attributes:
        kind: its name in the schema, such as ``CONV_2D``; ``CUSTOM`` for one that is not there.
        inputs: the numbers of its tensors, :data:`ABSENT` for one that is left out.
        outputs: the numbers of the tensors that it computes.
        options: the fields of its options by their names in the schema, such as ``StrideH``.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Program:
    """The graph of a file.

    Attributes:
        path: the file.
        tensors: its tensors, by number.
        operations: its operations, in the order of execution.
        inputs: the numbers of the tensors that are given.
        outputs: the numbers of the tensors that are returned.
    """

    path: Path
    tensors: tuple[TensorInfo, ...]
    operations: tuple[Operation, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_program(path: Path) -> Program:
    """Read a file's one graph.

    Raises:
        MissingExtraError: LiteRT's package, which has the schema, is not installed.
        ArtifactError: it is not a file of this kind, or its graph is broken or unusual.
    """
    try:
        content = read_flatbuffer(path, IDENTIFIER, MOST_BYTES)
        program = _read(path, schema.Model.GetRootAs(content, 0))
    except (OSError, *_BROKEN) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ArtifactError(f"{path}: not a TFLite model that sttk can read: {reason}") from error
    return program


def _read(path: Path, model: Any) -> Program:
    _require(model.SubgraphsLength() == 1, f"{model.SubgraphsLength()} graphs")
    graph = model.Subgraphs(0)
    values = 0
    tensors = []
    for index in range(_count(graph.TensorsLength(), _MOST_ITEMS, "tensors")):
        tensors.append(_tensor(model, graph.Tensors(index)))
        values += 0 if tensors[-1].data is None else tensors[-1].data.size
        _require(values <= _MOST_VALUES, f"more than {_MOST_VALUES} constants")
    codes = _count(model.OperatorCodesLength(), _MOST_ITEMS, "kinds of operations")
    kinds = [_kind(model.OperatorCodes(index)) for index in range(codes)]
    operations = tuple(
        _operation(graph.Operators(index), kinds)
        for index in range(_count(graph.OperatorsLength(), _MOST_ITEMS, "operations"))
    )
    inputs, outputs = (
        _numbers(length(), item, _MOST_INPUTS)
        for length, item in (
            (graph.InputsLength, graph.Inputs),
            (graph.OutputsLength, graph.Outputs),
        )
    )
    program = Program(path, tuple(tensors), operations, inputs, outputs)
    _check_order(program)
    return program


def _tensor(model: Any, found: Any) -> TensorInfo:
    name = (found.Name() or b"").decode("utf-8", "backslashreplace")
    kind = TYPES.get(found.Type(), f"type {found.Type()}")
    _require(found.Sparsity() is None and not found.IsVariable(), f"{name}: sparse, or a variable")
    shape = _numbers(found.ShapeLength(), found.Shape, _MOST_AXES)
    signed = _numbers(found.ShapeSignatureLength(), found.ShapeSignature, _MOST_AXES) or shape
    _require(min(shape, default=0) >= 0 and len(signed) == len(shape), f"{name}: shape {shape}")
    quantisation = _quantisation(found.Quantization(), shape, name) if "int" in kind else None
    data = _data(model, found, kind, shape, name)
    return TensorInfo(name, kind, shape, signed, quantisation, data)


def _data(model: Any, found: Any, kind: str, shape: tuple[int, ...], name: str) -> Array | None:
    """Return a constant as a view of the file's bytes; None for a tensor without any."""
    number = found.Buffer()
    _require(number < model.BuffersLength() and not found.ExternalBuffer(), f"{name}: no buffer")
    buffer = model.Buffers(number)
    _require(not buffer.Offset() and not buffer.Size(), f"{name}: it lies outside the graph")
    if not buffer.DataLength():
        return None
    raw = buffer.DataAsNumpy()
    _require(kind in TYPES.values(), f"{name}: constants of {kind}")
    dtype = np.dtype(kind).newbyteorder("<")
    _require(raw.nbytes == math.prod(shape) * dtype.itemsize, f"{name}: {raw.nbytes} bytes")
    return np.frombuffer(raw, dtype).reshape(shape)


def _quantisation(found: Any, shape: tuple[int, ...], name: str) -> Quantisation | None:
    if found is None or not found.ScaleLength():
        return None
    scales = np.asarray(found.ScaleAsNumpy(), np.float64)
    axis = found.QuantizedDimension()
    zeros = found.ZeroPointAsNumpy() if found.ZeroPointLength() else np.zeros(1, np.int64)
    several = scales.size > 1
    fits = not several or (0 <= axis < len(shape) and shape[axis] == scales.size)
    usual = found.DetailsType() == 0 and bool(np.isfinite(scales).all())
    _require(fits and usual and zeros.size in (1, scales.size), f"{name}: its quantisation")
    return Quantisation(scales, np.broadcast_to(zeros.astype(np.int64), scales.shape), axis)


def _kind(code: Any) -> str:
    # Numbers above 126 are in the newer field; files from before it have only the older one.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    names = {value: key for key, value in vars(schema.BuiltinOperator).items()}
    kind: str = names.get(number, f"number {number}")
    return kind


def _operation(found: Any, kinds: Sequence[str]) -> Operation:
    index = found.OpcodeIndex()
    _require(0 <= index < len(kinds), f"an operation of kind {index}")
    kind = kinds[index]
    inputs = _numbers(found.InputsLength(), found.Inputs, _MOST_INPUTS)
    outputs = _numbers(found.OutputsLength(), found.Outputs, _MOST_INPUTS)
    return Operation(kind, inputs, outputs, _options(found, kind))


def _options(found: Any, kind: str) -> dict[str, Any]:
    """Return the fields of the options; those that the file leaves out have the schema's values."""
    name, fields = OPTIONS.get(kind, ("", ()))
    table = found.BuiltinOptions()
    if not fields or table is None:
        return {}
    _require(
        found.BuiltinOptionsType() == getattr(schema.BuiltinOptions, name), f"{kind}: its options"
    )
    options = getattr(schema, name)()
    options.Init(table.Bytes, table.Pos)
    return {field: getattr(options, field)() for field in fields}


def _check_order(program: Program) -> None:
    """Check that each tensor is given, constant, or computed once and before it is read."""
    known = {i for i, tensor in enumerate(program.tensors) if tensor.data is not None}
    _require(not known.intersection(program.inputs), "an input that is constant")
    known |= {ABSENT, *program.inputs}
    for operation in program.operations:
        _require(known.issuperset(operation.inputs), f"{operation.kind} reads what is not computed")
        made = set(operation.outputs)
        fresh = made.isdisjoint(known) and len(made) == len(operation.outputs)
        _require(fresh, f"{operation.kind} computes what is there already")
        known |= made
    _require(known.issuperset(program.outputs) and ABSENT not in program.outputs, "no such output")
    _require(all(number < len(program.tensors) for number in known), "no such tensor")


def _numbers(length: int, item: Callable[[int], int], most: int) -> tuple[int, ...]:
    return tuple(item(index) for index in range(_count(length, most, "numbers")))


def _count(length: int, most: int, what: str) -> int:
    _require(length <= most, f"{length} {what}")
    return length


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)
