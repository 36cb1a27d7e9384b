"""Files of Torch7's ``torch.save``, as values: nothing in them is run.

The format is that of File.lua and of the Tensor.c and Storage.c of torch7, in its binary mode: a
type as int32, then a number, a string, a table, or an object with its class and version. Tables and
objects have an index, and come a second time as that index alone. Functions, which are Lua's
bytecode, are skipped.

A file is a few bytes that can speak of many: sizes are checked against the rest of the file before
memory is taken, what is read is counted, and long tables (the losses of a training) are cut.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NIL, _NUMBER, _STRING, _TABLE, _OBJECT, _BOOLEAN = range(6)
_FUNCTION, _OLD_FUNCTION, _NEW_FUNCTION = 6, 7, 8
_TYPES = {
    "Byte": "u1", "Char": "i1", "Short": "<i2", "Int": "<i4", "Long": "<i8", "Float": "<f4",
    "Double": "<f8", "Half": "<f2", "Cuda": "<f4", "CudaDouble": "<f8", "CudaHalf": "<f2",
    "CudaByte": "u1", "CudaInt": "<i4", "CudaLong": "<i8",
}  # fmt: skip
_MOST_DIMENSIONS = 8
_MOST_DEPTH = 60
# jcjohnson's files hold some hundred thousand losses; five million values take seconds.
_MOST_VALUES = 5_000_000
_MOST_KEPT = 200_000
_MOST_ENTRIES = 10_000

Table = dict[Any, Any]


@dataclass
class Instance:
    """An object of a Torch7 class, such as ``nn.ReLU``, with its fields."""

    kind: str
    version: int = 0
    fields: Table = field(default_factory=dict)


def is_torch7(start: bytes) -> bool:
    """Return whether a file that starts so can be Torch7's: a table or object of index 1."""
    return len(start) >= 8 and struct.unpack_from("<ii", start) in ((_TABLE, 1), (_OBJECT, 1))


def read(content: bytes) -> Any:
    """Return what a file holds.

    Returns:
        None, float, bool, str, dict (a table; keys that are tables are left out, and entries beyond
        10,000), :class:`Instance`, or an array (a tensor or storage).

    Raises:
        ValueError: the content is not Torch7's, is truncated, or is too much.
    """
    return _Reader(content).value()


class _Reader:
    def __init__(self, content: bytes) -> None:
        self.content = memoryview(content)
        self.at = 0
        self.values = 0
        self.kept = 0
        self.depth = 0
        self.known: dict[int, Any] = {}

    def take(self, size: int) -> memoryview:
        if not 0 <= size <= len(self.content) - self.at:
            raise ValueError(f"{size} bytes at {self.at}, which is past its end")
        self.at += size
        return self.content[self.at - size : self.at]

    def integer(self) -> int:
        return int.from_bytes(self.take(4), "little", signed=True)

    def longs(self, count: int) -> list[int]:
        return list(struct.unpack(f"<{count}q", self.take(8 * count)))

    def text(self) -> str:
        return bytes(self.take(self.integer())).decode("latin-1")

    def value(self) -> Any:
        self.values += 1
        if self.values > _MOST_VALUES:
            raise ValueError(f"more than {_MOST_VALUES} values")
        kind = self.integer()
        if kind == _NIL:
            return None
        if kind == _NUMBER:
            return float(struct.unpack("<d", self.take(8))[0])
        if kind == _STRING:
            return self.text()
        if kind == _BOOLEAN:
            return self.integer() == 1
        if kind in (_TABLE, _OBJECT, _FUNCTION, _OLD_FUNCTION, _NEW_FUNCTION):
            return self._deeper(kind)
        raise ValueError(f"a value of type {kind} at {self.at - 4}")

    def _deeper(self, kind: int) -> Any:
        self.depth += 1
        if self.depth > _MOST_DEPTH:
            raise ValueError(f"values nested deeper than {_MOST_DEPTH}")
        try:
            if kind == _FUNCTION:
                return self._function()
            index = self.integer()
            if index in self.known:
                return self.known[index]
            if kind == _TABLE:
                return self._table(index)
            return self._object(index) if kind == _OBJECT else self._function(index)
        finally:
            self.depth -= 1

    def _function(self, index: int | None = None) -> None:
        """Skip Lua's bytecode and the values that it refers to."""
        self.take(self.integer())
        if index is not None:
            self.known[index] = None
        self.value()

    def _table(self, index: int) -> Table:
        table: Table = {}
        self.known[index] = table
        for _ in range(self.integer()):
            key, value = self.value(), self.value()
            if len(table) < _MOST_ENTRIES and isinstance(key, float | str | bool):
                self._keep()
                table[key] = value
        return table

    def _keep(self) -> None:
        self.kept += 1
        if self.kept > _MOST_KEPT:
            raise ValueError(f"more than {_MOST_KEPT} values to keep")

    def _object(self, index: int) -> Any:
        name, version = self.text(), 0
        if name.startswith("V ") and name[2:].isdecimal() and len(name) < 9:
            version, name = int(name[2:]), self.text()
        self._keep()
        library, _, kind = name.partition(".")
        element = _TYPES.get(kind.removesuffix("Tensor").removesuffix("Storage"))
        if library == "torch" and element and kind.endswith(("Tensor", "Storage")):
            self.known[index] = None
            self.known[index] = self._array(np.dtype(element), kind.endswith("Storage"))
            return self.known[index]
        instance = self.known[index] = Instance(name, version)
        fields = self.value()
        instance.fields = fields if isinstance(fields, dict) else {}
        return instance

    def _array(self, element: np.dtype[Any], storage: bool) -> NDArray[Any]:
        if storage:
            (size,) = self.longs(1)
            if size < 0:
                raise ValueError(f"a storage of {size} values")
            return np.frombuffer(self.take(size * element.itemsize), element)
        dimensions = self.integer()
        if not 0 <= dimensions <= _MOST_DIMENSIONS:
            raise ValueError(f"a tensor of {dimensions} dimensions")
        shape, strides = self.longs(dimensions), self.longs(dimensions)
        (offset,) = self.longs(1)
        values = self.value()
        if values is None or not dimensions:
            return np.zeros(0, element)
        return _view(values, shape, strides, offset - 1)


def _view(values: Any, shape: list[int], strides: list[int], offset: int) -> NDArray[Any]:
    """Return the tensor of a storage, which has to hold each of its values once."""
    if not isinstance(values, np.ndarray) or values.ndim != 1:
        raise ValueError("a tensor without a storage")
    if min(*shape, *strides, offset) < 0:
        raise ValueError(f"a tensor of shape {shape}")
    if math.prod(shape) == 0:
        return np.zeros(shape if max(shape) <= len(values) else 0, values.dtype)
    reach = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    if reach >= len(values) or math.prod(shape) > len(values):
        raise ValueError(f"a tensor of shape {shape} in a storage of {len(values)} values")
    steps = [step * values.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(values[offset:], shape, steps, writeable=False)
