"""Messages between sttk and a process that runs a model: JSON, and arrays as raw bytes.

A message is the length of its header, 4 bytes little-endian; the header, a JSON object; and the
values of its arrays one after the other, little-endian float32. The header's ``arrays`` holds their
shapes.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.io.json_text import loads

_LENGTH = struct.Struct("<I")
# Headers take a few kilobytes; a picture of 4096x4096 takes 200 MB.
_MOST_HEADER, _MOST_BYTES = 1 << 24, 1 << 31
_WIDTH = 4  # bytes of a float32


class BrokenWireError(Exception):
    """The other side has ended, or has sent something else than a message."""


def send(stream: BinaryIO, fields: dict[str, Any], arrays: Sequence[Floats] = ()) -> None:
    """Write a message.

    Raises:
        BrokenWireError: the other side has ended.
    """
    header = json.dumps({**fields, "arrays": [list(each.shape) for each in arrays]}).encode()
    try:
        stream.write(_LENGTH.pack(len(header)) + header)
        stream.writelines(np.ascontiguousarray(each, dtype="<f4").tobytes() for each in arrays)
        stream.flush()
    except (OSError, ValueError) as error:
        raise BrokenWireError(str(error)) from error


def receive(stream: BinaryIO) -> tuple[dict[str, Any], list[Floats]]:
    """Read a message.

    Raises:
        BrokenWireError: the other side has ended, or sent no message.
    """
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size, _LENGTH.size))
    try:
        fields = loads(_exactly(stream, length, _MOST_HEADER))
        shapes = [tuple(int(side) for side in shape) for shape in fields.pop("arrays")]
        return fields, [_array(stream, shape) for shape in shapes]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenWireError(f"no message: {error}") from error


def _array(stream: BinaryIO, shape: tuple[int, ...]) -> Floats:
    raw = _exactly(stream, math.prod(shape) * _WIDTH, _MOST_BYTES)
    return np.frombuffer(raw, dtype="<f4").reshape(shape).astype(np.float32)


def _exactly(stream: BinaryIO, count: int, most: int) -> bytes:
    if not 0 <= count <= most:
        raise BrokenWireError(f"{count} bytes announced, {most} are the most")
    content = stream.read(count)
    if len(content) < count:
        raise BrokenWireError("it has ended")
    return content
