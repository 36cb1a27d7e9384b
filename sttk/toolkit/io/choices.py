"""Choices behind a file's name: ``x.onnx#style=3,input=imagenet``. This imports no torch.

    input=, output=     the values: 0..255, 0..1, -1..1, imagenet, caffe
    mean=, std=         one or three numbers, for the values named before them, else for the input:
                        value = (x - mean) / std, x of the range that is named, else of 0..1
    channels=           rgb or bgr, of input and output
    style=, norm=       checkpoints: one of several styles; instance, running or batch statistics
    layout=, type=      models in ``sttk parity``: nchw or nhwc; float or uint8

They are joined by commas or ``&``. Means and stds are in the order of the net's own channels.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from sttk.toolkit.core.convention import NAMED, PLAIN, RANGES, Convention, End, Triple, of_range
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.io.text import printable

SUFFIX = ".onnx"  # a file of this kind need not exist for its choices to be split off
CHECKPOINT = ("input", "output", "mean", "std", "channels", "style", "norm")
MODEL = ("input", "output", "mean", "std", "channels", "layout", "type")

_BEGINNING = re.compile(r"[a-z]+=")
_JOIN = re.compile(r"[&,](?=[a-z]+=)|&")
_WORDS = {
    "channels": ("rgb", "bgr"),
    "norm": ("instance", "running", "batch"),
    "layout": ("nchw", "nhwc"),
    "type": ("float", "uint8"),
}
_SAID = {
    "input": f"input={'|'.join(NAMED)}",
    "output": f"output={'|'.join(NAMED)}",
    "mean": "mean=R,G,B",
    "std": "std=R,G,B",
    "style": "style=NUMBER",
    **{key: f"{key}={'|'.join(words)}" for key, words in _WORDS.items()},
}
Side = Literal["input", "output"]


@dataclass(frozen=True)
class Choices:
    """What a user says of a file; None is not said.

    Attributes:
        input, output: the values, with the order of channels that their name implies.
        bgr: the order of channels that was asked for.
        style: the number of a style.
        norm: ``instance`` or ``running`` statistics.
        nhwc: whether the channels of a model's tensors come last.
        uint8: whether a model's tensors are of 8 bits.
    """

    input: End | None = None
    output: End | None = None
    bgr: bool | None = None
    style: int | None = None
    norm: str | None = None
    nhwc: bool | None = None
    uint8: bool | None = None

    def convention(self, known: Convention = PLAIN) -> Convention:
        """Return what the file takes and gives: what was said, else what is ``known`` of it.

        Where only one end is said to be BGR, by its name, the other is taken for BGR, too: nets
        that are fed in BGR give it.
        """
        ends = (self.input or known.input, self.output or known.output)
        said = next((end.bgr for end in (self.input, self.output) if end and end.bgr), None)
        bgr = self.bgr if self.bgr is not None else said
        if bgr is not None:
            ends = (replace(ends[0], bgr=bgr), replace(ends[1], bgr=bgr))
        return Convention(*ends)


NONE = Choices()


def split_choices(reference: str | Path) -> tuple[Path, str]:
    """Split a reference into the file and the choices after ``#``, empty if there are none."""
    file, _, choices = str(reference).rpartition("#")
    is_one = bool(_BEGINNING.match(choices)) or file.lower().endswith(SUFFIX)
    chosen = bool(file) and is_one and not Path(reference).exists()
    return (Path(file), choices) if chosen else (Path(reference), "")


def parse_choices(text: str, known: Collection[str] = CHECKPOINT) -> Choices:
    """Parse the text after ``#``.

    Args:
        text: the choices, such as ``input=0..1,output=0..1``.
        known: the keys that may be chosen, of :data:`CHECKPOINT` or :data:`MODEL`.

    Raises:
        UsageError: a key or a value is not known, or two of them contradict each other.
    """
    pairs = [item.partition("=")[::2] for item in _JOIN.split(text) if item]
    words: dict[str, str] = {}
    ends: dict[Side, dict[str, str]] = {}
    side: Side = "input"
    for key, value in pairs:
        if key not in known:
            raise _refused(f"{key}={value}", known)
        if key in ("input", "output"):
            side = cast("Side", key)
            inner, _, first = value.partition("=")  # input=mean=..., for input=0..1,mean=...
            ends.setdefault(side, {}).update({inner: first} if first else {"range": value})
        elif key in ("mean", "std"):
            ends.setdefault(side, {})[key] = value
        else:
            words[key] = value
    return _choices(words, {key: _end(key, parts, known) for key, parts in ends.items()}, known)


def _choices(words: dict[str, str], ends: dict[Side, End], known: Collection[str]) -> Choices:
    plain = {key: value.lower() for key, value in words.items()}
    for key, value in plain.items():
        if value not in _WORDS.get(key, (value,)):
            raise _refused(f"{key}={value}", known)
    style = plain.get("style")
    if style is not None and not (style.isdecimal() and style.isascii() and len(style) < 9):
        raise _refused(f"style={style}", known)
    bgr = {"rgb": False, "bgr": True, None: None}[plain.get("channels")]
    if bgr is False and any(end.bgr for end in ends.values()):
        raise UsageError(
            "#channels=rgb contradicts caffe, which is BGR",
            fix="say input=0..255,mean=123.68,116.779,103.939 for RGB less that mean",
        )
    norm = {"batch": "running"}.get(plain.get("norm", ""), plain.get("norm"))
    return Choices(
        ends.get("input"),
        ends.get("output"),
        bgr,
        None if style is None else int(style),
        norm,
        None if "layout" not in plain else plain["layout"] == "nhwc",
        None if "type" not in plain else plain["type"] == "uint8",
    )


def _end(side: Side, parts: dict[str, str], known: Collection[str]) -> End:
    named = parts.pop("range", None)
    if parts.keys() - {"mean", "std"} or (named is not None and named not in NAMED):
        said = named if named is not None else next(iter(parts.keys() - {"mean", "std"}))
        raise _refused(f"{side}={said}", known)
    if not parts:
        return NAMED[str(named)]
    if named is not None and named not in RANGES:
        extra = " and ".join(f"{key}=" for key in parts)
        raise UsageError(f"#{side}={named} has a mean of its own", fix=f"leave out {extra}")
    mean, std = (_triple(key, parts.get(key, default)) for key, default in _DEFAULTS)
    if named is None and max(map(abs, (*mean, *std))) > 1:
        raise UsageError(
            f"#{side}: a mean or std above 1 is of values in 0..255, or of what?",
            fix=f"say {side}=0..255 before it, or the range that it is of",
        )
    return of_range(named or "0..1", mean, std)


_DEFAULTS = (("mean", "0"), ("std", "1"))


def _triple(key: str, text: str) -> Triple:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    values = values * 3 if len(values) == 1 else values
    sane = all(abs(value) < 1e6 for value in values)  # NaN is not
    if len(values) != 3 or not sane or (key == "std" and min(values) < 1e-6):
        fix = "give one number or three, of the range that is named"
        raise UsageError(f"#{key}={_shown(text)} is no {key}", fix=fix)
    return values[0], values[1], values[2]


def _refused(item: str, known: Collection[str]) -> UsageError:
    choices = ", ".join(_SAID[key] for key in known)
    return UsageError(f"#{_shown(item)} is no choice", fix=f"choose {choices}")


def _shown(text: str) -> str:
    return printable(text if len(text) <= 60 else f"{text[:57]}...")
