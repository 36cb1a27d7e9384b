"""Small helpers for files: hashes, and writing that leaves the old file or the new, never half."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

# mkstemp makes files that only their owner can read; others' rights are the user's to decide.
# There is no way to ask for the mask but to set it.
_UMASK = os.umask(0)
os.umask(_UMASK)


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
    """All of a regular file of at most ``most`` bytes; a pipe or a device could go on for ever.

    Raises:
        ValueError: it is no regular file, or larger.
        OSError: it is not there, or cannot be read.
    """
    size = path.stat().st_size
    if not path.is_file():
        raise ValueError("no regular file")
    if size > most:
        raise ValueError(f"{size} bytes are more than {most}")
    return path.read_bytes()


def write_atomic(path: Path, data: bytes) -> None:
    """Write beside ``path``, then rename over it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.{os.getpid()}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        replace_with(Path(temporary), path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def replace_with(temporary: Path, path: Path) -> None:
    """Give a finished file that mkstemp named the name ``path``, once it is on the disk."""
    with temporary.open("r+b") as stream:
        os.fsync(stream.fileno())
    temporary.chmod(0o666 & ~_UMASK)
    temporary.replace(path)


def sweep_writes(path: Path) -> None:
    """Remove what killed processes left beside ``path`` while they wrote it."""
    for left in path.parent.glob(f".{path.name}.*.*"):
        pid = left.name.split(".")[-2]
        if pid.isdecimal() and not is_running(int(pid)):
            left.unlink(missing_ok=True)


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
