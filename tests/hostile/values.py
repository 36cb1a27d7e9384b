"""Changes to JSON and to protobuf messages that keep them readable, so that they get further."""

from __future__ import annotations

import json
from random import Random
from typing import Any

INTEGERS = (0, -1, 1, 2, 3, 7, 255, 1 << 16, 1 << 20, (1 << 31) - 1, 1 << 31, 1 << 40,
            (1 << 63) - 1, -(1 << 31), -(1 << 63))  # fmt: skip
FLOATS = (0.0, -1.0, 1e-45, 1e38, -1e308, float("inf"), float("-inf"), float("nan"))
TEXTS = (
    "", ".", "..", "/", "../../../../etc/passwd", "/etc/passwd", "/dev/zero", "a/../../b",
    "nul\0nul", "\ud800", "\u202e", "\x1b[31m", "line\nline", "x" * 300, "y" * 70_000, "style:ink",
    "None", "1e9", "con", "\U0001f30a", "~", "%s%n", "{0}", "manifest.json", "model.onnx",
)  # fmt: skip


def deep(depth: int, *, of_lists: bool) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if of_lists else {"a": value}
    return value


def any_value(random: Random) -> Any:
    kind = random.randrange(8)
    if kind < 2:
        return random.choice(INTEGERS)
    if kind == 2:
        return random.choice(FLOATS)
    if kind < 5:
        return random.choice(TEXTS)
    if kind == 5:
        return random.choice((None, True, False, [], {}, [[]], [None], {"": None}, {"a": {}}))
    if kind == 6:
        return deep(random.choice((3, 60, 150, 300, 450, 900)), of_lists=random.random() < 0.5)
    return random.choice(([0] * 50_000, ["x"] * 3000, {str(n): n for n in range(3000)}, 10**400))


def changed_json(random: Random, content: bytes) -> bytes:
    """One place of a JSON document replaced, removed, doubled, or given another key."""
    document = json.loads(content)
    places = list(_places(document))
    if not places or random.random() < 0.05:
        return encoded(any_value(random))
    holder, key = random.choice(places)
    act = random.randrange(8)
    if act == 0:
        del holder[key]
    elif act == 1 and isinstance(holder, dict):
        holder[random.choice(TEXTS)] = holder.pop(key)
    elif act == 2 and isinstance(holder, list):
        holder += holder[:50]
    elif act == 3 and isinstance(holder, dict):
        holder[random.choice(TEXTS)] = any_value(random)
    else:
        holder[key] = any_value(random)
    return encoded(document)


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _places(document: Any) -> Any:
    """Every (dictionary or list, key or index) in it."""
    if isinstance(document, dict):
        pairs = list(document.items())
    else:
        pairs = list(enumerate(document)) if isinstance(document, list) else []
    for key, value in pairs:
        yield document, key
        yield from _places(value)


def unruly_json(random: Random, content: bytes) -> bytes:
    """JSON that parsers trip over: depth, size, numbers without an end, two keys of one name."""
    deep_by = random.choice((200, 990, 5000, 200_000))
    return random.choice(
        (
            b"[" * deep_by + b"]" * deep_by,
            b'{"a":' * deep_by + b"1" + b"}" * deep_by,
            b"1" * 5000,
            b'{"schema": 2, "schema": ' + b"9" * 5000 + b"}",
            b"[" + b"{}," * 300_000 + b"{}]",
            b'{"schema": 2}' + b" " * 3_000_000,
            b"\xef\xbb\xbf" + content,
            content.decode("utf-8", "replace").encode("utf-16"),
            b"NaN",
            b'"\\ud800"',
            b"\x00" * 100,
        )
    )


def changed_message(random: Random, message: Any) -> None:
    """One to three fields of a protobuf message, however deep, given hostile values."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        places = list(_fields(message))
        if places:
            _change_field(random, *random.choice(places))


def _fields(message: Any) -> Any:
    """Every (message, field) that is set."""
    for descriptor, value in message.ListFields():
        yield message, descriptor
        if descriptor.message_type is None:
            continue
        if descriptor.message_type.GetOptions().map_entry:
            inner = [value[key] for key in value]
            inner = [one for one in inner if hasattr(one, "ListFields")]
        else:
            inner = list(value) if _is_list(message, descriptor) else [value]
        for one in inner:
            yield from _fields(one)


def _is_list(message: Any, descriptor: Any) -> bool:
    return hasattr(getattr(message, descriptor.name), "append") or hasattr(
        getattr(message, descriptor.name), "add"
    )


def _change_field(random: Random, message: Any, descriptor: Any) -> None:
    name, value = descriptor.name, getattr(message, descriptor.name)
    if random.random() < 0.15:
        message.ClearField(name)
    elif _is_list(message, descriptor):
        _change_list(random, message, name, value)
    elif descriptor.message_type is None:
        try:
            setattr(message, name, _like(random, value))
        except (ValueError, TypeError, UnicodeError):  # not in the field's range, or no text
            message.ClearField(name)


def _change_list(random: Random, message: Any, name: str, value: Any) -> None:
    items = list(value)
    act = random.randrange(4)
    where = random.randrange(len(items))
    if act == 0:
        items = items[:where] + items[where + 1 :]
    elif act == 1:
        items += items[where : where + 1] * random.choice((1, 1, 300))
    elif act == 2:
        random.shuffle(items)
    elif hasattr(items[where], "ListFields"):
        items = items[: where + 1]
    else:
        items[where] = _like(random, items[where])
    copies = [_copy(item) for item in items]
    message.ClearField(name)
    try:
        getattr(message, name).extend(copies)
    except (ValueError, TypeError, UnicodeError):
        message.ClearField(name)


def _copy(item: Any) -> Any:
    if not hasattr(item, "CopyFrom"):
        return item
    made = type(item)()
    made.CopyFrom(item)
    return made


def _like(random: Random, value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return random.choice(INTEGERS)
    if isinstance(value, float):
        return random.choice(FLOATS)
    if isinstance(value, bytes):
        return value[: random.randrange(len(value) + 1)]
    return random.choice([text for text in TEXTS if text.isprintable()])
