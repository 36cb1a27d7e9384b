"""Messages to and from a worker process, and what is no message."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from sttk.toolkit.devices import wire
from sttk.toolkit.devices.wire import BrokenWireError


def sent(fields, arrays=()):
    stream = io.BytesIO()
    wire.send(stream, fields, arrays)
    return stream.getvalue()


def received(content):
    return wire.receive(io.BytesIO(content))


def test_what_is_sent_is_received():
    arrays = [np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4), np.zeros((0, 3), np.float32)]
    fields, found = received(sent({"a": [1, "x"]}, arrays))
    assert fields == {"a": [1, "x"]}
    for one, other in zip(arrays, found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0",
        struct.pack("<I", 5) + b"12",
        struct.pack("<I", 2) + b"[]",
        struct.pack("<I", 2) + b"{}",
        struct.pack("<I", 2) + b"\xff\xff",
        struct.pack("<I", 0xFFFFFFFF),
        sent({}, [np.zeros(8, np.float32)])[:-1],
        sent({"x": 1}).replace(b'"arrays": []', b'"arrays": 7 '),
        sent({"x": 1}).replace(b'"arrays": []', b'"arrays":[5'),
    ],
)
def test_what_is_no_message(content):
    with pytest.raises(BrokenWireError):
        received(content)


@pytest.mark.parametrize("shape", ["[-1]", "[99999999999]", "[[3]]", '["a"]', "[65536,65536]"])
def test_shapes_are_checked_before_memory_is_taken(shape):
    header = f'{{"arrays": [{shape}]}}'.encode()
    with pytest.raises(BrokenWireError):
        received(struct.pack("<I", len(header)) + header)
