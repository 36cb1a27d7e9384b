"""Weights that lie in files beside an ``.onnx`` file, as torch's exporter writes them.

Such a file is named by the model, so its name, offsets and lengths are untrusted: it must be a
regular file in the model's folder or below it, and no more is read than it holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError, shown

if TYPE_CHECKING:
    import onnx

_MOST_BYTES = 1 << 28  # style nets take 0.5 to 60 MB
_MOST_DIGITS = 18
_FIX = "keep the files that were exported together in one folder, under the names that they had"


@dataclass(frozen=True)
class _Part:
    """The bytes of one tensor in a file."""

    file: Path
    offset: int
    length: int


def embed(model: onnx.ModelProto, folder: Path) -> None:
    """Read the weights that lie in other files into the model.

    Raises:
        UnreadableError: a file is missing, lies outside the folder, or has fewer bytes than the
            model says; or there are more weights than those of a style net.
    """
    parts = [(tensor, _part(tensor, folder)) for tensor in _outside(model)]
    files = {part.file for _, part in parts}
    total = sum(part.length for _, part in parts)
    # Otherwise a small file could be read many times over.
    if total > min(_MOST_BYTES, sum(file.stat().st_size for file in files)):
        raise UnreadableError(f"it names {total} bytes of weights, more than its files can hold")
    for tensor, part in parts:
        content = _read(part)
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        tensor.raw_data = content


def files_beside(model: onnx.ModelProto, folder: Path) -> dict[str, Path]:
    """Return the files that hold weights of the model, by the names that it gives them, sorted.

    Raises:
        UnreadableError: one is missing, or lies outside the folder.
    """
    names = sorted({_entries(tensor).get("location", "") for tensor in _outside(model)})
    return {name: _inside(folder, name) for name in names}


def _outside(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield the initialisers and constants that lie in another file."""
    yield from filter(_is_outside, model.graph.initializer)
    for node in model.graph.node:
        for entry in node.attribute:
            if entry.HasField("t") and _is_outside(entry.t):
                yield entry.t


def _is_outside(tensor: onnx.TensorProto) -> bool:
    return bool(tensor.external_data) or tensor.data_location == tensor.EXTERNAL


def _entries(tensor: onnx.TensorProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _part(tensor: onnx.TensorProto, folder: Path) -> _Part:
    entries = _entries(tensor)
    file = _inside(folder, entries.get("location", ""))
    size = file.stat().st_size
    offset = _number(entries.get("offset", "0"))
    length = _number(entries.get("length", str(max(0, size - offset))))
    if offset + length > size:
        raise UnreadableError(
            f"{shown(tensor.name)} lies beyond the end of {shown(file.name)}",
            "download or copy both files again",
        )
    return _Part(file, offset, length)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise UnreadableError(f"a place {shown(text)} of weights in another file")
    return int(text)


def _inside(folder: Path, name: str) -> Path:
    """Resolve links and return the file, which must be in the folder."""
    try:
        root, file = folder.resolve(), (folder / name).resolve()
        if not file.is_relative_to(root):
            raise UnreadableError(
                f"its weights' file {shown(name)} is outside its folder",
                "copy both files, not links to them, into one folder",
            )
        if not name or not file.is_file():
            raise UnreadableError(f"its weights' file {shown(name)} is not beside it", _FIX)
    except (OSError, RuntimeError) as error:  # too long, a loop of links
        raise UnreadableError(f"{shown(name)} is not a file name") from error
    except UnreadableError:
        raise
    except ValueError as error:  # a null byte
        raise UnreadableError(f"{shown(name)} is not a file name") from error
    return file


def _read(part: _Part) -> bytes:
    try:
        with part.file.open("rb") as stream:
            stream.seek(part.offset)
            content = stream.read(part.length)
    except OSError as error:
        raise UnreadableError(f"{shown(part.file.name)}: {error.strerror}") from error
    if len(content) != part.length:
        raise UnreadableError(f"{shown(part.file.name)} became shorter while it was read")
    return content
