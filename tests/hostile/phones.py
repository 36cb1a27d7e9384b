"""Artifacts of the runtimes on phones, whose models are read by native code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from tests.hostile.artifacts import BYTES, OF_MANIFESTS, of_the_model
from tests.hostile.bytes_mutations import Change
from tests.hostile.values import FLOATS, INTEGERS

_KINDS = (b"ReLU", b"Split", b"Reshape", b"Input", b"Concat", b"Crop", b"MemoryData", b"Gemm",
          b"Pooling", b"BatchNorm", b"Permute", b"NoSuchLayer", b"aten::add")  # fmt: skip


# ncnn: a text of lines "kind name inputs outputs blob... key=value...", and weights beside it.


def param_numbers(random: Random, content: bytes) -> bytes:
    """Counts and parameters of layers replaced."""
    words = content.split(b" ")
    numbers = [at for at, word in enumerate(words) if word.rpartition(b"=")[2].strip().isdigit()]
    for at in random.sample(numbers, random.choice((1, 1, 3))):
        key, equals, _ = words[at].rpartition(b"=")
        end = b"\n" if words[at].endswith(b"\n") else b""
        words[at] = key + equals + str(random.choice(INTEGERS)).encode() + end
    return b" ".join(words)


def param_lines(random: Random, content: bytes) -> bytes:
    """Layers removed, doubled, exchanged, or of another kind."""
    lines = content.splitlines(keepends=True)
    one, other = random.sample(range(2, len(lines)), 2)
    act = random.randrange(4)
    if act == 0:
        del lines[one]
    elif act == 1:
        lines.insert(other, lines[one])
    elif act == 2:
        lines[one], lines[other] = lines[other], lines[one]
    else:
        _, _, rest = lines[one].partition(b" ")
        lines[one] = random.choice(_KINDS) + b" " + rest
    if random.random() < 0.5:  # the counts in the second line are right again
        blobs = {name for line in lines[2:] for name in _blobs(line)}
        lines[1] = b"%d %d\n" % (len(lines) - 2, len(blobs))
    return b"".join(lines)


def param_words(random: Random, content: bytes) -> bytes:
    """A word in the place of another: blobs that nobody makes, parameters of other layers."""
    words = content.split(b" ")
    for _ in range(random.choice((1, 1, 3))):
        words[random.randrange(len(words))] = random.choice(words)
    return b" ".join(words)


def _blobs(line: bytes) -> list[bytes]:
    words = line.split()
    return [word for word in words[4:] if b"=" not in word]


PARAM: dict[str, Change] = {
    "numbers": param_numbers, "lines": param_lines, "words": param_words, **BYTES
}  # fmt: skip
OF_NCNN = {
    **OF_MANIFESTS,
    "graph known": of_the_model(PARAM, ".param", known=True),
    "weights known": of_the_model(BYTES, ".bin", known=True),
}


# LiteRT: a flatbuffer, changed in its fields and as bytes.


def flat_fields(random: Random, content: bytes) -> bytes:
    """Fields of the model's tables replaced by other numbers."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    places = list(_numbers(model))
    for _ in range(random.choice((1, 1, 3))):
        holder, key = random.choice(places)
        _put(random, holder, key)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _put(random: Random, holder: Any, key: Any) -> None:
    if isinstance(key, int):
        holder[key] = random.choice((-1, 0, 1, 2, 3, 255, 1 << 16, (1 << 31) - 1))
    elif isinstance(getattr(holder, key), float):
        setattr(holder, key, random.choice(FLOATS[:3]))
    else:
        setattr(holder, key, random.choice((0, 1, 2, 3, 7, 100)))


def _numbers(value: Any) -> Iterator[tuple[Any, Any]]:
    """Where numbers lie in a tree of tables: (table or list, key); of large arrays none."""
    if isinstance(value, list):
        yield from _within(value, enumerate(value))
    elif hasattr(value, "__dict__"):
        for name, each in vars(value).items():
            if hasattr(each, "dtype") and each.size < 64:
                setattr(value, name, each.tolist())
        yield from _within(value, vars(value).items())


def _within(holder: Any, items: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    for key, value in items:
        if isinstance(value, bool | int | float):
            yield holder, key
        else:
            yield from _numbers(value)


FLAT: dict[str, Change] = {"fields": flat_fields, **BYTES}
OF_LITERT = {**OF_MANIFESTS, "model known": of_the_model(FLAT, ".tflite", known=True)}
OF_EXECUTORCH = {**OF_MANIFESTS, "model known": of_the_model(BYTES, ".pte", known=True)}
