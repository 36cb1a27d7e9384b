"""A writer of TensorFlow's checkpoints, for tests: both formats, as small as they can be."""

from __future__ import annotations

import struct

import numpy as np

Arrays = dict[str, np.ndarray]
_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)


def varint(value: int) -> bytes:
    parts = []
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def fixed(field: int, value: int) -> bytes:
    return varint(field << 3 | 5) + struct.pack("<I", value)


def inner(field: int, value: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(value)) + value


def shape(array: np.ndarray) -> bytes:
    return b"".join(inner(2, number(1, size)) for size in array.shape)


def crc32c(raw: bytes) -> int:
    """Bit by bit, and masked."""
    crc = 0xFFFFFFFF
    for byte in raw:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 & -(crc & 1))
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Keys share what they begin with, as LevelDB has it."""
    parts, before = [], b""
    for key, value in entries:
        shared = 0
        while shared < min(len(key), len(before)) and key[shared] == before[shared]:
            shared += 1
        rest = key[shared:]
        parts += [varint(shared), varint(len(rest)), varint(len(value)), rest, value]
        before = key
    return b"".join(parts) + struct.pack("<II", 0, 1)


def table(entries: dict[bytes, bytes], each: int = 7) -> bytes:
    """Blocks of a few entries, their index, and the footer."""
    content, index = b"", []

    def add(raw: bytes) -> bytes:
        nonlocal content
        handle = varint(len(content)) + varint(len(raw))
        content += raw + b"\0" + struct.pack("<I", crc32c(raw + b"\0"))
        return handle

    ordered = sorted(entries.items())
    for start in range(0, len(ordered), each):
        part = ordered[start : start + each]
        index.append((part[-1][0], add(block(part))))
    footer = add(block([])) + add(block(index))
    return content + footer.ljust(40, b"\0") + _MAGIC


def bundle(arrays: Arrays) -> tuple[bytes, bytes]:
    """The index and the data of a bundle."""
    entries, data = {b"": number(1, 1) + inner(3, number(1, 1))}, b""
    for name, array in sorted(arrays.items()):
        raw = array.astype("<f4").tobytes()
        place = number(4, len(data)) + number(5, len(raw)) + fixed(6, crc32c(raw))
        entries[name.encode()] = number(1, 1) + inner(2, shape(array)) + place
        data += raw
    return table(entries), data


def slices(arrays: Arrays) -> bytes:
    """The single file of before."""
    metas = [inner(1, inner(1, name.encode()) + inner(2, shape(array)) + number(3, 1))
             for name, array in arrays.items()]  # fmt: skip
    entries = {b"": inner(1, b"".join(metas))}
    for name, array in arrays.items():
        values = inner(5, array.astype("<f4").tobytes())
        saved = inner(1, name.encode()) + inner(3, number(1, 1) + values)
        entries[b"\0" + name.encode()] = inner(2, saved)
    return table(entries)
