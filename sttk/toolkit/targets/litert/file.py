"""A TFLite file's graph, by LiteRT's own generated code, with every length checked first."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.io.files import read_flatbuffer
from sttk.toolkit.targets import structure
from sttk.toolkit.targets.litert.runner import IDENTIFIER, MOST_BYTES
from sttk.toolkit.targets.structure import Array, NotReadError, Stored

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema
else:
    schema = Lazy("ai_edge_litert.schema_py_generated", "litert")

_MOST = 1 << 14  # operators, tensors and buffers; ours have some 500
# What the generated code raises for offsets and lengths that point nowhere.
BROKEN = (
    struct.error, IndexError, KeyError, ValueError, TypeError, AttributeError, OverflowError,
)  # fmt: skip


@dataclass(eq=False)
class Operator:
    """An operator: its kind in the schema, its tensors' numbers, and its options' fields."""

    kind: str
    inputs: list[int]
    output: int
    options: dict[str, Any] = field(default_factory=dict)


class File:
    """A graph. Raises NotReadError if it is none, or is larger than a style net's."""

    def __init__(self, path: Path) -> None:
        try:
            content = read_flatbuffer(path, IDENTIFIER, MOST_BYTES)
            self._model = schema.Model.GetRootAs(content, 0)
            if self._model.SubgraphsLength() != 1:
                raise NotReadError("not one graph")
            self._graph = self._model.Subgraphs(0)
            lengths = (
                self._graph.OperatorsLength(), self._graph.TensorsLength(),
                self._model.BuffersLength(), self._model.OperatorCodesLength(),
            )  # fmt: skip
            if max(lengths) > _MOST:
                raise NotReadError(f"{max(lengths)} operators or tensors")
            self.operators = [self._operator(index) for index in range(lengths[0])]
        except (OSError, *BROKEN) as error:
            raise NotReadError(
                f"not a TFLite graph: {' '.join(str(error).split())[:200]}"
            ) from error
        self.makers = {each.output: each for each in self.operators}
        self.readers: dict[int, list[Operator]] = {}
        for each in self.operators:
            for tensor in each.inputs:
                self.readers.setdefault(tensor, []).append(each)
        structure.check_bounds(self.operators, [])

    def _operator(self, index: int) -> Operator:
        found = self._graph.Operators(index)
        code = self._model.OperatorCodes(found.OpcodeIndex())
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        kind = _names("BuiltinOperator").get(number, f"number {number}")
        inputs = [int(found.Inputs(i)) for i in range(min(found.InputsLength(), _MOST))]
        options: dict[str, Any] = {}
        name = _names("BuiltinOptions").get(found.BuiltinOptionsType(), "NONE")
        if name != "NONE" and (table := found.BuiltinOptions()) is not None:
            read = getattr(schema, name)()
            read.Init(table.Bytes, table.Pos)
            options = vars(getattr(schema, f"{name}T").InitFromObj(read))
        return Operator(kind, inputs, int(found.Outputs(0)), options)

    def name(self, tensor: int) -> str:
        """Return a tensor's name."""
        text = self._graph.Tensors(tensor).Name()
        return text.decode("utf-8", "replace")[:80] if text else f"tensor {tensor}"

    def channels(self, tensor: int) -> int:
        """Return the last side of a tensor's shape, or 0 where the file names none."""
        held = self._graph.Tensors(tensor)
        return int(held.Shape(held.ShapeLength() - 1)) if held.ShapeLength() else 0

    def maker(self, tensor: int, *kinds: str) -> Operator | None:
        """Return the operator that computes a tensor, if it is of one of these kinds."""
        found = self.makers.get(tensor)
        return found if found and found.kind in kinds else None

    def is_stored(self, tensor: int) -> bool:
        """Whether a tensor's values are in the file, widened perhaps."""
        maker = self.maker(tensor, "DEQUANTIZE")
        source = maker.inputs[0] if maker else tensor
        held = self._graph.Tensors(source)
        return bool(self._model.Buffers(held.Buffer()).DataLength() > 0)

    def array(self, tensor: int) -> Array:
        """Return a stored tensor as it is. Raises NotReadError if it is computed."""
        held = self._graph.Tensors(tensor)
        kinds = {"FLOAT32": "<f4", "FLOAT16": "<f2", "INT8": "i1", "INT32": "<i4"}
        kind = _names("TensorType").get(held.Type(), "")
        data = self._model.Buffers(held.Buffer()).DataAsNumpy()
        if kind not in kinds or not isinstance(data, np.ndarray):
            raise NotReadError(f"{self.name(tensor)} is no constant of numbers")
        shape = [int(held.Shape(i)) for i in range(min(held.ShapeLength(), 8))]
        return np.frombuffer(data.tobytes(), kinds[kind]).reshape(shape)

    def numbers(self, tensor: int) -> list[Any]:
        """Return a stored tensor's values."""
        found: list[Any] = self.array(tensor).reshape(-1).tolist()
        return found

    def weights(self, tensor: int) -> Stored:
        """Return stored weights, with the error of their type, by their scales if they have any."""
        if maker := self.maker(tensor, "DEQUANTIZE"):
            tensor = maker.inputs[0]
        array = self.array(tensor)
        if array.dtype.kind == "f":
            return structure.stored(array)
        held = self._graph.Tensors(tensor).Quantization()
        scales = held.ScaleAsNumpy() if held is not None else None
        if not isinstance(scales, np.ndarray) or not np.all(scales > 0):
            raise NotReadError(f"{self.name(tensor)}: integers without scales")
        zeros = held.ZeroPointAsNumpy()
        zero = zeros if isinstance(zeros, np.ndarray) else np.zeros(1)
        axis, rank = held.QuantizedDimension(), array.ndim
        return structure.quantised(
            array, structure.along(scales, axis, rank), structure.along(zero, axis, rank)
        )


@cache
def _names(enumeration: str) -> dict[int, str]:
    found = vars(getattr(schema, enumeration)).items()
    return {value: name for name, value in found if isinstance(value, int)}
