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


def sha256(path: Path) -> str:
    """Hex digest of a file, or of a folder: of its files' relative names and bytes, sorted."""
    digest = hashlib.sha256()
    if path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(f"{file.relative_to(path).as_posix()}\0{sha256(file)}\0".encode())
        return digest.hexdigest()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Write beside ``path``, then rename over it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o666 & ~_UMASK)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
