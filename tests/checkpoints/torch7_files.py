"""A writer of Torch7's files, for tests: as File.lua writes, in binary."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

_STORAGES = {torch.float32: ("Float", "<f4"), torch.float64: ("Double", "<f8")}


@dataclass(eq=False)
class Thing:
    """An object of a class, with its fields."""

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)
    version: int = 1


def layer(kind: str, **fields: Any) -> Thing:
    return Thing(f"nn.{kind}", {"_type": "torch.FloatTensor", "train": False, **fields})


def group(kind: str, *children: Thing) -> Thing:
    return layer(kind, modules=list(children))


class Writer:
    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.indices: dict[int, int] = {}
        self.alive: list[Any] = []

    def integer(self, value: int) -> None:
        self.parts.append(struct.pack("<i", value))

    def longs(self, *values: int) -> None:
        self.parts.append(struct.pack(f"<{len(values)}q", *values))

    def text(self, value: str) -> None:
        self.integer(len(value))
        self.parts.append(value.encode("latin-1"))

    def value(self, value: Any) -> None:
        if value is None:
            self.integer(0)
        elif isinstance(value, bool):
            self.integer(5)
            self.integer(int(value))
        elif isinstance(value, int | float):
            self.integer(1)
            self.parts.append(struct.pack("<d", value))
        elif isinstance(value, str):
            self.integer(2)
            self.text(value)
        elif isinstance(value, list | tuple):
            self.table(value, dict(enumerate(value, 1)))
        elif isinstance(value, dict):
            self.table(value, value)
        else:
            self.object(value)

    def again(self, kind: int, value: Any) -> bool:
        """Write the index; whether that is all, because the value was written before."""
        self.integer(kind)
        known = id(value) in self.indices
        self.integer(self.indices.setdefault(id(value), len(self.indices) + 1))
        self.alive.append(value)
        return known

    def table(self, value: Any, entries: dict[Any, Any]) -> None:
        if self.again(3, value):
            return
        self.integer(len(entries))
        for key, entry in entries.items():
            self.value(key)
            self.value(entry)

    def object(self, value: Any) -> None:
        if self.again(4, value):
            return
        self.text(f"V {getattr(value, 'version', 1)}")
        if isinstance(value, torch.Tensor):
            self.tensor(value)
        else:
            self.text(value.kind)
            self.value(value.fields)

    def tensor(self, value: torch.Tensor) -> None:
        name, element = _STORAGES[value.dtype]
        self.text(f"torch.{name}Tensor")
        self.integer(value.ndim)
        self.longs(*value.shape, *value.stride(), value.storage_offset() + 1)
        self.integer(4)  # its storage, which is another object
        self.integer(10**6 + len(self.alive))
        self.text("V 1")
        self.text(f"torch.{name}Storage")
        count = value.untyped_storage().nbytes() // value.element_size()
        stored = torch.as_strided(value, (count,), (1,), 0).numpy()
        self.longs(count)
        self.parts.append(stored.astype(np.dtype(element)).tobytes())


def written(value: Any) -> bytes:
    writer = Writer()
    writer.value(value)
    return b"".join(writer.parts)
