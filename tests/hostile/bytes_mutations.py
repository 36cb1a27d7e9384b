"""Changes to bytes and names, of use for every kind of file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from random import Random

from tests.hostile.sample import Sample

Change = Callable[[Random, bytes], bytes]
Mutation = Callable[[Random, Sample], Sample]

SUFFIXES = (".pth", ".safetensors", ".onnx", ".xml", ".engine", ".mlpackage", ".png", ".json", "")
# Names that are hard to print, to encode or to keep on one line.
ODD_NAMES = (
    "n" * 200,
    "\u00e9\u4e2d\U0001f30a",
    "\u202egnp",
    "new\nline",
    "\x1b[31mred",
    "a#style=1",
    " leading and trailing ",
    "-o",
    "...",
    "\udcff\udcfe",  # bytes that are no UTF-8
    "\u0130\u0131",
)


def truncated(random: Random, content: bytes) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def flipped(random: Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 3, 20)) if content else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def near_the_start(random: Random, content: bytes) -> bytes:
    """Headers are where lengths and kinds stand."""
    head = content[: random.choice((16, 64, 256))]
    return flipped(random, head) + content[len(head) :]


def zeroed(random: Random, content: bytes) -> bytes:
    start = random.randrange(len(content) + 1)
    length = min(random.choice((1, 4, 64, 1024)), len(content) - start)
    return content[:start] + bytes(length) + content[start + length :]


def saturated(random: Random, content: bytes) -> bytes:
    """Four bytes of ones: the largest length, or -1."""
    start = random.randrange(len(content) + 1)
    return content[:start] + b"\xff" * 4 + content[start + 4 :]


def repeated(random: Random, content: bytes) -> bytes:
    start = random.randrange(len(content) + 1)
    part = content[start : start + random.choice((4, 64, 1024))]
    return content[:start] + part * random.choice((2, 9)) + content[start:]


def dropped(random: Random, content: bytes) -> bytes:
    start = random.randrange(len(content) + 1)
    return content[:start] + content[start + random.choice((1, 8, 100)) :]


def inserted(random: Random, content: bytes) -> bytes:
    start = random.randrange(len(content) + 1)
    return content[:start] + random.randbytes(random.choice((1, 8, 100))) + content[start:]


def empty(random: Random, content: bytes) -> bytes:
    return b""


def noise(random: Random, content: bytes) -> bytes:
    return random.randbytes(random.choice((1, 10, 1000, 50_000)))


CHANGES: dict[str, Change] = {
    change.__name__.replace("_", " "): change
    for change in (
        truncated, flipped, near_the_start, zeroed, saturated, repeated, dropped, inserted, empty,
        noise,
    )
}  # fmt: skip


def to_a_file(change: Change) -> Mutation:
    """The change, made to one of a sample's files."""

    def mutate(random: Random, sample: Sample) -> Sample:
        name = random.choice(sample.below)
        return sample.with_file(name, change(random, sample.files[name]))

    return mutate


def spliced(others: list[bytes]) -> Mutation:
    """The end of a file put in place of another's."""

    def mutate(random: Random, sample: Sample) -> Sample:
        name = random.choice(sample.below)
        content, other = sample.files[name], random.choice(others)
        head, tail = random.randrange(len(content) + 1), random.randrange(len(other) + 1)
        return sample.with_file(name, content[:head] + other[tail:])

    return mutate


def wrong_suffix(random: Random, sample: Sample) -> Sample:
    stem = sample.path.rpartition(".")[0] or sample.path
    return sample.renamed(stem + random.choice(SUFFIXES))


def odd_name(random: Random, sample: Sample) -> Sample:
    suffix = sample.path[sample.path.rfind(".") :] if "." in sample.path else ""
    return sample.renamed(random.choice(ODD_NAMES) + suffix)


def linked(random: Random, sample: Sample) -> Sample:
    """What the command is given is a link: to itself, to nothing, to a folder, without an end."""
    target = random.choice(
        (sample.path, "nothing", ".", "/", "/dev/null", "/dev/full", "/dev/zero")
    )
    return dataclasses.replace(sample.renamed("elsewhere"), path="link" + _suffix(sample),
                               links={"link" + _suffix(sample): target})  # fmt: skip


def piped(random: Random, sample: Sample) -> Sample:
    """A named pipe in place of one of the files."""
    name = random.choice(sample.below)
    return dataclasses.replace(sample.without(name), pipes=(name,))


def hollow(random: Random, sample: Sample) -> Sample:
    """A file of a terabyte that takes no room, in place of one of the files."""
    name = random.choice(sample.below)
    return dataclasses.replace(sample.without(name), holes={name: 1 << random.choice((34, 40))})


def _suffix(sample: Sample) -> str:
    return sample.path[sample.path.rfind(".") :] if "." in sample.path else ""


def of_any_file(others: list[bytes]) -> dict[str, Mutation]:
    """What is done to files and folders of every kind; ``others`` are spliced in."""
    return {
        **{name: to_a_file(change) for name, change in CHANGES.items()},
        "spliced": spliced(others),
        "wrong suffix": wrong_suffix,
        "odd name": odd_name,
        "linked": linked,
        "named pipe": piped,
        "hollow": hollow,
    }
