"""TensorFlow's checkpoints, without TensorFlow: tensor bundles, and the single files before them.

A bundle is ``X.index``, a sorted table (the format of LevelDB's) from names to where each tensor
stands in ``X.data-00000-of-00001`` (tensor_bundle.proto). The older ``X`` alone is such a table, of
messages that hold the tensors themselves (saved_tensor_slice.proto). Only float32 tensors are read,
whole ones, and each against its checksum; sizes are checked before memory is taken.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

INDEX, DATA = ".index", ".data-00000-of-00001"

_FOOTER = 48
_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_TRAILER = 5  # a byte for the compression, and a checksum
_MOST_ENTRIES = 20_000
_MOST_DIMENSIONS = 8
_FLOAT = 1
_CRC_DELTA = 0xA282EAD8

Message = dict[int, list[Any]]
Arrays = dict[str, NDArray[np.float32]]
Wanted = Callable[[str], bool]


def is_table(end: bytes) -> bool:
    """Return whether a file that ends so is a sorted table."""
    return end.endswith(_MAGIC)


def read_bundle(index: bytes, data: bytes, wanted: Wanted) -> Arrays:
    """Return the float32 tensors of a bundle whose names are wanted.

    Raises:
        ValueError: it is not a bundle, is broken, or is of several data files.
    """
    arrays: Arrays = {}
    used = 0
    for key, value in _entries(index):
        name, entry = key.decode("latin-1"), _message(value)
        if not key:
            if _number(entry, 1, 1) != 1 or _number(entry, 2):
                raise ValueError("a bundle of several data files, or big-endian")
        elif wanted(name):
            shape = _shape(_sub(entry, 2))
            offset, size = _number(entry, 4), _number(entry, 5)
            used += size
            if _number(entry, 1) != _FLOAT or 7 in entry:
                raise ValueError(f"{name} is not a whole float32 tensor")
            if size != 4 * math.prod(shape) or offset + size > len(data) or used > len(data):
                raise ValueError(f"{name}: {size} bytes at {offset}, of {len(data)}")
            raw = data[offset : offset + size]
            if _number(entry, 6) != _checksum(raw):
                raise ValueError(f"{name}: its checksum is another's")
            arrays[name] = np.frombuffer(raw, "<f4").reshape(shape)
    return arrays


def read_slices(content: bytes, wanted: Wanted) -> Arrays:
    """Return the float32 tensors of a single file whose names are wanted.

    Raises:
        ValueError: it is not such a file, or is broken.
    """
    arrays: Arrays = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for key, value in _entries(content):
        message = _message(value)
        if not key:
            for tensor in map(_message, _sub(message, 1).get(1, [])):
                if _number(tensor, 3) == _FLOAT and wanted(_text(tensor, 1)):
                    shapes[_text(tensor, 1)] = _shape(_sub(tensor, 2))
            continue
        saved = _sub(message, 2)
        name = _text(saved, 1)
        if name in shapes:
            raw = b"".join(_sub(saved, 3).get(5, []))  # float_val, packed
            if len(raw) != 4 * math.prod(shapes[name]):
                raise ValueError(f"{name}: {len(raw)} bytes for a shape of {list(shapes[name])}")
            arrays[name] = np.frombuffer(raw, "<f4").reshape(shapes[name])
    return arrays


def _entries(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a table, in its order."""
    if len(content) < _FOOTER or not is_table(content):
        raise ValueError("no sorted table")
    footer = content[-_FOOTER:]
    at = 0
    handle = [0] * 4  # the offset and size of two blocks, of which the second is the index
    for place in range(4):
        handle[place], at = _varint(footer, at)
    count = 0
    for _, where in _block(content, handle[2], handle[3]):
        offset, at = _varint(where, 0)
        size, _ = _varint(where, at)
        for entry in _block(content, offset, size):
            count += 1
            if count > _MOST_ENTRIES:
                raise ValueError(f"more than {_MOST_ENTRIES} entries")
            yield entry


def _block(content: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    raw = content[offset : offset + size]
    trailer = content[offset + size : offset + size + _TRAILER]
    if len(raw) != size or len(trailer) != _TRAILER or size < 4:
        raise ValueError(f"a block of {size} bytes at {offset}, which is past its end")
    if trailer[0]:
        raise ValueError("a compressed block, which TensorFlow does not write")
    restarts = int.from_bytes(raw[-4:], "little")
    end, at, key = size - 4 * (restarts + 1), 0, b""
    if end < 0:
        raise ValueError(f"a block with {restarts} restarts")
    while at < end:
        shared, at = _varint(raw, at)
        rest, at = _varint(raw, at)
        length, at = _varint(raw, at)
        if shared > len(key) or at + rest + length > end:
            raise ValueError("an entry that is longer than its block")
        key = key[:shared] + raw[at : at + rest]
        yield key, raw[at + rest : at + rest + length]
        at += rest + length


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(raw):
            raise ValueError("a number that is cut off")
        byte, at = raw[at], at + 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than 64 bits")


def _message(raw: bytes) -> Message:
    """Return a message's fields by their numbers, each a list: integers, or bytes."""
    fields: Message = {}
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        kind = tag & 7
        value: Any
        if kind == 0:
            value, at = _varint(raw, at)
        elif kind in (1, 2, 5):
            size, at = _varint(raw, at) if kind == 2 else (8 if kind == 1 else 4, at)
            if at + size > len(raw):
                raise ValueError("a message that is cut off")
            value, at = raw[at : at + size], at + size
        else:
            raise ValueError(f"a field of type {kind}")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _number(message: Mapping[int, list[Any]], field: int, default: int = 0) -> int:
    value = message.get(field, [default])[-1]
    return int.from_bytes(value, "little") if isinstance(value, bytes) else int(value)


def _sub(message: Mapping[int, list[Any]], field: int) -> Message:
    value = message.get(field, [b""])[-1]
    return _message(value) if isinstance(value, bytes) else {}


def _text(message: Mapping[int, list[Any]], field: int) -> str:
    value = message.get(field, [b""])[-1]
    return value.decode("latin-1") if isinstance(value, bytes) else ""


def _shape(message: Message) -> tuple[int, ...]:
    dimensions = message.get(2, [])
    if len(dimensions) > _MOST_DIMENSIONS:
        raise ValueError(f"a tensor of {len(dimensions)} dimensions")
    return tuple(_number(_message(each), 1) if isinstance(each, bytes) else 0
                 for each in dimensions)  # fmt: skip


@cache
def _table() -> tuple[int, ...]:
    """Return the remainders of CRC-32C (Castagnoli) for one byte."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)  # noqa: PLW2901
        table.append(value)
    return tuple(table)


def _checksum(raw: bytes) -> int:
    """Return the CRC-32C of bytes, masked as LevelDB stores it."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in raw:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _CRC_DELTA) & 0xFFFFFFFF
