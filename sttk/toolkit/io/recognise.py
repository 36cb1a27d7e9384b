"""Files that are not what was asked for, recognised by their bytes: what they are, and the fix.

Readers ask when they have failed, so a format that is read somewhere is never refused here. Nothing
is decoded but a zip archive's table of entries.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sttk.toolkit.io.text import printable

_HEAD = 1 << 16
_SHOWN = 40


@dataclass(frozen=True)
class Kind:
    """What a file is.

    Attributes:
        what: the kind, such as "a Git LFS pointer, not the file that it stands for".
        fix: what the user can do about it.
    """

    what: str
    fix: str


@dataclass(frozen=True)
class _Seen:
    """The start and the end of a file."""

    path: Path
    head: bytes
    tail: bytes

    @property
    def text(self) -> str:
        """The start as text, or "" if it is not text."""
        # The last character may be cut off.
        text = self.head[:1024].decode("utf-8", "replace").rstrip("\ufffd").lstrip("\ufeff \r\n\t")
        return text if all(c.isprintable() or c in "\r\n\t" for c in text) else ""

    def is_named(self, *suffixes: str) -> bool:
        """Return whether the file's name ends in one of these suffixes."""
        return self.path.suffix.lower() in suffixes


_Finder = Callable[[_Seen], "Kind | None"]

_DOWNLOAD = "download the file itself: in a browser, signed in where the site asks for it"
_AGAIN = "download or copy it again"
_UNPACK = "unpack it, and name the file in it"
_TO_ONNX = "convert it to ONNX, for example with tf2onnx, and name the .onnx file"
_SOURCE = "name the checkpoint that it was made from, or an ONNX file of the net"
_PHOTO = "name it as the photograph, and a style net as the checkpoint"
_STYLE = "name the checkpoint of a style net"


def _weights(of: str) -> str:
    return f"where you trust it, save its weights alone: torch.save({of}, 'weights.pth')"


_STATE = _weights("net.state_dict()")
_EMPTY = Kind("an empty file", _AGAIN)
_HOLLOW = Kind("only zeros where its content should begin, as in unfinished downloads", _AGAIN)
_CUT = Kind("a file that begins as a zip archive and lacks its end", _AGAIN)
_LFS = Kind(
    "a Git LFS pointer, not the file that it stands for",
    "run 'git lfs pull' in its repository, or download the file itself",
)
_PAGE = Kind("a web page, such as a site's sign-in or error page", _DOWNLOAD)
_TORCH_SAVE = Kind("a file of torch.save under another suffix", "rename it to end in .pth")
_SAFETENSORS = Kind("a safetensors file under another suffix", "rename it to end in .safetensors")
_ONNX = Kind("an ONNX file under another suffix", "rename it to end in .onnx")
_TORCHSCRIPT = Kind(
    "a TorchScript archive, which is code that sttk does not run",
    _weights("torch.jit.load(FILE).state_dict()"),
)
_EXPORTED = Kind(
    "an exported program (.pt2) of torch.export", _weights("torch.export.load(FILE).state_dict")
)
_TORCH7 = Kind(
    "a Torch7 file (.t7), which Lua wrote",
    "save its tensors by Python's torchfile, under a layout's names",
)
_NUMPY = Kind("NumPy arrays", _STATE)
_PICKLE = Kind("Python objects that torch.save did not write", _STATE)
_KERAS = Kind("a Keras model", _TO_ONNX)
_HDF5 = Kind("an HDF5 file, such as Keras writes (.h5)", _TO_ONNX)
_GRAPH = Kind("a TensorFlow graph (a SavedModel, frozen graph or .meta file)", _TO_ONNX)
_TABLE = Kind("a TensorFlow checkpoint (.ckpt or .index)", _TO_ONNX)
_VALUES = Kind("the values of a TensorFlow checkpoint, without their index", _TO_ONNX)
_MLMODEL = Kind("a Core ML model (.mlmodel), which was made from a checkpoint", _SOURCE)
_MLPACKAGE = Kind("a zipped Core ML package, which was made from a checkpoint", _SOURCE)
_TFLITE = Kind("a TFLite model, which was made from a checkpoint", _SOURCE)
_PTE = Kind("an ExecuTorch program, which was made from a checkpoint", _SOURCE)
_CAFFE = Kind("a Caffe model (.caffemodel)", "convert it to ONNX, and name the .onnx file")


def _archive(kind: str) -> Kind:
    return Kind(f"a {kind} archive", _UNPACK)


def _picture(kind: str) -> Kind:
    return Kind(f"a {kind} picture", _PHOTO)


# Where a magic stands, the magic, and the kind.
_MAGIC: tuple[tuple[int, bytes, Kind], ...] = (
    (0, b"\x89HDF\r\n\x1a\n", _HDF5),
    (4, b"TFL3", _TFLITE),
    (4, b"ET12", _PTE),
    (0, b"\x93NUMPY", _NUMPY),
    (0, b"GGUF", Kind("a GGUF file, as language models have", _STYLE)),
    (0, b"%PDF-", Kind("a PDF document", _STYLE)),
    (257, b"ustar", _archive("tar")),
    (0, b"\x1f\x8b", _archive("gzip")),
    (0, b"BZh", _archive("bzip2")),
    (0, b"\xfd7zXZ\0", _archive("xz")),
    (0, b"\x28\xb5\x2f\xfd", _archive("zstd")),
    (0, b"7z\xbc\xaf\x27\x1c", _archive("7z")),
    (0, b"Rar!\x1a\x07", _archive("rar")),
    (0, b"\xff\xd8\xff", _picture("JPEG")),
    (0, b"\x89PNG\r\n\x1a\n", _picture("PNG")),
    (0, b"GIF8", _picture("GIF")),
    (8, b"WEBP", _picture("WebP")),
    (0, b"II*\0", _picture("TIFF")),
    (0, b"MM\0*", _picture("TIFF")),
    (4, b"ftyp", Kind("a picture or video (HEIC, AVIF, MP4)", _PHOTO)),
)
_PATTERNS: tuple[tuple[re.Pattern[bytes], Kind], ...] = tuple(
    (re.compile(pattern, re.DOTALL), kind)
    for pattern, kind in (
        # An object of version 1, or a table whose first key is a string; in binary and in ASCII.
        (rb"\x04\0{3}\x01\0{3}\x03\0{3}V 1|\x03\0{3}\x01\0{3}.{4}\x02\0{3}", _TORCH7),
        (rb"4\n1\n3\nV 1\n|3\n1\n\d+\n2\n", _TORCH7),
        # A message's version, description, and in this its first input with a name.
        (rb"\x08[\x01-\x1e]\x12[\x80-\xff]{0,3}.\n[\x80-\xff]{0,3}.\n", _MLMODEL),
        # The net's name, and layers in the old or the new field.
        (rb"\n[\x01-\x7f][\w .:/-]+(?:\xa2\x06|\x12[\x80-\xff]{1,4}.\n)", _CAFFE),
        (rb"\x80[\x02-\x05].", _PICKLE),
    )
)
# The end of a LevelDB table, in which TensorFlow keeps tensors or their index.
_TABLE_END = bytes.fromhex("57fb808b247547db")
# Operations' names after their lengths, as in a graph's nodes and in lists of operations.
_OPERATION = re.compile(rb"[\n\x12](?:\x05Const|\x0bPlaceholder|\x06Assign|\x04NoOp)")
# The version, then the producer's name or the graph.
_ONNX_START = re.compile(
    rb"\x08[\x01-\x1e](?:\x12[\x01-\x40][\w .:/-]+|:[\x80-\xff]{0,4}.\n)", re.DOTALL
)
_OLD_TORCH_SAVE = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_TORCH_SUFFIXES = (".pth", ".pt", ".model", ".ckpt", ".bin", ".tar")
# How entries' names end by which archives are told apart; None for torch.save's own.
_ARCHIVES: tuple[tuple[tuple[str, ...], Kind | None], ...] = (
    (("/archive_format", "/serialized_exported_program.json"), _EXPORTED),
    (("/constants.pkl",), _TORCHSCRIPT),
    (("/data.pkl",), None),
    (("/model.weights.h5",), _KERAS),
    (("/saved_model.pb",), _GRAPH),
    (("/com.apple.CoreML/model.mlmodel",), _MLPACKAGE),
    ((".npy",), _NUMPY),
)
# The names of entries by which folders are told apart.
_ENTRIES: tuple[tuple[str, Kind], ...] = (
    (r"^saved_model\.pb(txt)?$", Kind("a folder of a TensorFlow SavedModel", _TO_ONNX)),
    (
        r"\.(ckpt|index|meta)$|\.data-\d+-of-\d+$",
        Kind("a folder of a TensorFlow checkpoint", _TO_ONNX),
    ),
    (r"^Manifest\.json$", Kind("a Core ML package, which was made from a checkpoint", _SOURCE)),
)
_CHECKPOINTS = (".pth", ".pt", ".model", ".safetensors", ".onnx")
_MOST_ENTRIES = 1000


def recognise(path: Path) -> Kind | None:
    """Return what a file is, if it is of a known kind that is no checkpoint; None for all others.

    A file of ``torch.save``, and any whose suffix says what it is, is not recognised: its reader
    knows better what is wrong with it. Folders are known by the names in them.
    """
    if path.is_dir():
        return _folder(path)
    seen = _look(path)
    return next((kind for find in _FINDERS if (kind := find(seen))), None) if seen else None


def _folder(path: Path) -> Kind | None:
    try:
        names = sorted(entry.name for entry in islice(path.iterdir(), _MOST_ENTRIES))
    except OSError:
        return None
    found = next(
        (kind for name, kind in _ENTRIES if re.search(name, "\n".join(names), re.MULTILINE)), None
    )
    files = [name for name in names if name.lower().endswith(_CHECKPOINTS)]
    if found or not files:
        return found
    return Kind(f"a folder, which holds {printable(', '.join(files[:3]))}", "name one of its files")


def stand_in(path: Path) -> Kind | None:
    """Return what a file is, if it only stands where the real file should be; else None."""
    seen = _look(path)
    return _instead(seen) if seen else None


def is_torch_save(path: Path) -> bool:
    """Return whether a file begins as ``torch.save`` writes, in its old or new format."""
    seen = _look(path)
    return seen is not None and seen.head.startswith((b"PK\x03\x04", _OLD_TORCH_SAVE))


def beginning(path: Path) -> str:
    """Return how a file begins, for a message about one of no known kind."""
    seen = _look(path)
    if seen is None or not seen.head:
        return "nothing"
    if seen.text:
        return f"the text {printable(' '.join(seen.text[:_SHOWN].split()))}"
    return f"the bytes {seen.head[:8].hex(' ')}"


def _look(path: Path) -> _Seen | None:
    """Read the file's ends; None if it is not a regular file, or cannot be read."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
            stream.seek(max(0, stream.seek(0, 2) - len(_TABLE_END)))
            return _Seen(path, head, stream.read(len(_TABLE_END)))
    except (OSError, ValueError):
        return None


def _instead(seen: _Seen) -> Kind | None:
    if not seen.head:
        return _EMPTY
    if not any(seen.head[:1024]):
        return _HOLLOW
    text = seen.text.lower()
    if text.startswith("version https://git-lfs."):
        return _LFS
    if text.startswith(("<!doctype html", "<html", "<head", "<script")):
        return _PAGE
    if text.startswith(("{", "<?xml", "<error")) and re.search("error|message|denied", text):
        return Kind(
            f"a server's answer, {printable(' '.join(seen.text[:_SHOWN].split()))}", _DOWNLOAD
        )
    return None


def _zip(seen: _Seen) -> Kind | None:
    if not seen.head.startswith(b"PK\x03\x04"):
        return None
    try:
        with zipfile.ZipFile(seen.path) as archive:
            names = [f"/{name}" for name in archive.namelist()]
    except Exception:  # a broken table can make zipfile raise nearly anything
        return _CUT
    for ends, kind in _ARCHIVES:
        if any(name.endswith(ends) for name in names):
            return kind if kind or seen.is_named(*_TORCH_SUFFIXES) else _misnamed_torch(seen)
    return _archive("zip")


def _misnamed_torch(seen: _Seen) -> Kind | None:
    return _TORCH_SAVE if seen.is_named(".safetensors", ".onnx") else None


def _other_suffix(seen: _Seen) -> Kind | None:
    if seen.head.startswith(_OLD_TORCH_SAVE):
        return _misnamed_torch(seen)
    if re.match(rb".{4}\0{4}\{\"", seen.head, re.DOTALL) and not seen.is_named(".safetensors"):
        return _SAFETENSORS
    return _ONNX if _ONNX_START.match(seen.head) and not seen.is_named(".onnx") else None


def _by_magic(seen: _Seen) -> Kind | None:
    return next((kind for at, magic, kind in _MAGIC if seen.head.startswith(magic, at)), None)


def _tensorflow(seen: _Seen) -> Kind | None:
    if seen.tail == _TABLE_END:
        return _TABLE
    # These hold values alone, so there is only the name to tell.
    if re.search(r"\.data-\d+-of-\d+$", seen.path.name):
        return _VALUES
    return _GRAPH if _OPERATION.search(seen.head) else None


def _by_pattern(seen: _Seen) -> Kind | None:
    if seen.head.startswith(_OLD_TORCH_SAVE):
        return None
    return next((kind for pattern, kind in _PATTERNS if pattern.match(seen.head)), None)


# In this order: an archive before the pattern of a message, TensorFlow's messages before others'.
_FINDERS: tuple[_Finder, ...] = (
    _instead, _zip, _by_magic, _tensorflow, _other_suffix, _by_pattern
)  # fmt: skip
