"""Small helpers for files: hashes, and writing that leaves the old file or the new, never half."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

# mkstemp makes files that only their owner can read; others' rights are the user's to decide.
# There is no way to ask for the mask but to set it.
_UMASK = os.umask(0)
os.umask(_UMASK)


# A write failed for no fault of the name that the user gave.
DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
# Style nets take up to 60 MB, and protobuf, which most formats are made of, ends at 2 GB. What is
# larger is not one of ours, and reading it to find out would take minutes.
MOST_BYTES = 1 << 31


def sha256(path: Path) -> str:
    """Hex digest of a file, or of a folder: of its files' relative names and bytes, sorted."""
    digest = hashlib.sha256()
    if path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            # By fsencode, because a name need not be UTF-8.
            name = os.fsencode(file.relative_to(path).as_posix())
            digest.update(name + f"\0{sha256(file)}\0".encode())
        return digest.hexdigest()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def read_bounded(path: Path, most: int) -> bytes:
    """Read all of a regular file of at most ``most`` bytes.

    A pipe or a device is refused: it could go on for ever.

    Raises:
        ValueError: it is no regular file, larger, or grows while it is read.
        OSError: it is not there, or cannot be read.
    """
    size = path.stat().st_size
    if not path.is_file():
        raise ValueError("no regular file")
    if size > most:
        raise ValueError(f"{size} bytes are more than {most}")
    with path.open("rb") as stream:
        # Not read(most + 1): that takes the memory before it looks at the file.
        content = stream.read(size + 1)
    if len(content) > size:
        raise ValueError(f"it holds more than the {size} bytes that the system says")
    return content


def read_stream(stream: BinaryIO, most: int) -> bytes:
    """Read a stream, such as a pipe, to its end.

    Raises:
        ValueError: more than ``most`` bytes come out of it.
        OSError: it cannot be read.
    """
    parts, size = [], 0
    while part := stream.read(1 << 20):
        parts.append(part)
        size += len(part)
        if size > most:
            raise ValueError(f"more than {most} bytes")
    return b"".join(parts)


def read_flatbuffer(path: Path, identifier: bytes, most: int) -> bytes:
    """As :func:`read_bounded`, of a FlatBuffers file whose schema has this identifier.

    Raises:
        ValueError: it is none, no regular file, or larger.
        OSError: it is not there, or cannot be read.
    """
    content = read_bounded(path, most)
    if content[4:8] != identifier:
        raise ValueError(f"its identifier is not {identifier.decode()}")
    return content


def write_atomic(path: Path, data: bytes) -> None:
    """Write beside ``path``, then rename over it. Raises OSError, with ``path`` as its file."""
    write_together({path: data})


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write all files beside their names, and only then rename: a full disk changes none of them.

    Of a process that is killed, each file is the old one or the new. Between two of the renames,
    which take microseconds, some are old and some new. What killed processes left beside is
    removed.

    Raises:
        OSError: one cannot be written; ``filename`` says which.
    """
    staged: dict[Path, Path] = {}
    current = Path()
    try:
        for current, data in contents.items():
            current.parent.mkdir(parents=True, exist_ok=True)
            sweep_writes(current)
            _stage(current, data, staged)
        for current in contents:
            staged[current].replace(current)
            del staged[current]
    except OSError as error:
        error.filename, error.filename2 = str(current), None  # not the name beside it
        raise
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)


def _stage(path: Path, data: bytes, staged: dict[Path, Path]) -> None:
    """Write ``data`` to a file beside ``path``, which is noted before anything can fail."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.{os.getpid()}.")
    staged[path] = Path(name)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
    finish_temporary(staged[path])


def finish_temporary(temporary: Path) -> None:
    """See that a file of mkstemp's is on the disk, and readable as any other file."""
    with temporary.open("r+b") as stream:
        os.fsync(stream.fileno())
    temporary.chmod(0o666 & ~_UMASK)


def sweep_writes(path: Path) -> None:
    """Remove what killed processes left beside ``path`` while they wrote it; what cannot be
    removed, such as another user's, stays.
    """
    beside = re.compile(rf"\.{re.escape(path.name)}\.([0-9]+)\.[^.]+")
    with contextlib.suppress(OSError):
        for left in path.parent.iterdir():
            match = beside.fullmatch(left.name)
            if match and not is_running(int(match[1])):
                with contextlib.suppress(OSError):
                    _remove_file(left)


def _remove_file(path: Path) -> None:
    """Folders and links are never what a write left."""
    if path.is_file() and not path.is_symlink():
        path.unlink()


def is_running(pid: int) -> bool:
    """Whether there is a process of this number; True where that cannot be told."""
    if os.name != "posix":
        return True  # elsewhere, asking would end the process
    try:
        os.kill(pid, 0)  # signal 0 asks only
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # another user's, or no process number: not ours to judge
    return True


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files if file.is_file())
