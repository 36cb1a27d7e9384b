"""Helpers for files: hashes, bounded reads, and atomic writes."""

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

# mkstemp creates files that only their owner can read, while the user's umask should decide.
# The only way to read the umask is to set it.
_UMASK = os.umask(0)
os.umask(_UMASK)


# Errors of a write that are not the fault of the name that the user gave.
DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
# Style nets take up to 60 MB, and protobuf, on which most formats are built, is limited to 2 GB. A
# larger file is not a style net, and reading it to find out would take minutes.
MOST_BYTES = 1 << 31


def sha256(path: Path) -> str:
    """Return the hex digest of a file, or of a folder's relative file names and bytes, sorted."""
    digest = hashlib.sha256()
    if path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            # fsencode, because a name need not be UTF-8.
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
    """Read a FlatBuffers file whose schema has this identifier, like :func:`read_bounded`.

    Raises:
        ValueError: it has another identifier, is not a regular file, or is larger.
        OSError: it does not exist, or cannot be read.
    """
    content = read_bounded(path, most)
    if content[4:8] != identifier:
        raise ValueError(f"its identifier is not {identifier.decode()}")
    return content


def write_atomic(path: Path, data: bytes) -> None:
    """Write to a temporary file next to ``path``, then rename it over ``path``.

    Raises:
        OSError: it cannot be written; ``filename`` is ``path``.
    """
    write_together({path: data})


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write all files to temporary ones, and only then rename, so a full disk changes none.

    If the process is killed, each file is the old one or the new one; between two of the renames,
    which take microseconds, some are old and some new. Temporary files of killed processes are
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
        error.filename, error.filename2 = str(current), None  # not the temporary file's name
        raise
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)


def _stage(path: Path, data: bytes, staged: dict[Path, Path]) -> None:
    """Write ``data`` to a temporary file, recorded in ``staged`` before anything can fail."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.{os.getpid()}.")
    staged[path] = Path(name)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
    finish_temporary(staged[path])


def finish_temporary(temporary: Path) -> None:
    """Flush a file from mkstemp to the disk, and give it the usual permissions."""
    with temporary.open("r+b") as stream:
        os.fsync(stream.fileno())
    temporary.chmod(0o666 & ~_UMASK)


def sweep_writes(path: Path) -> None:
    """Remove the temporary files that killed processes left while they wrote ``path``.

    Files that cannot be removed, such as another user's, are left.
    """
    pattern = re.compile(rf"\.{re.escape(path.name)}\.([0-9]+)\.[^.]+")
    with contextlib.suppress(OSError):
        for left in path.parent.iterdir():
            match = pattern.fullmatch(left.name)
            if match and not is_running(int(match[1])):
                with contextlib.suppress(OSError):
                    _remove_file(left)


def _remove_file(path: Path) -> None:
    """Remove a file, but never a folder or link, which no write leaves behind."""
    if path.is_file() and not path.is_symlink():
        path.unlink()


def is_running(pid: int) -> bool:
    """Return whether a process of this number exists; True if that cannot be determined."""
    if os.name != "posix":
        return True  # elsewhere, os.kill would end the process
    try:
        os.kill(pid, 0)  # signal 0 only checks
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # another user's process, or not a valid process number
    return True


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files if file.is_file())
