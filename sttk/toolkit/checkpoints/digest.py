"""The hash that binds an artifact to its checkpoint, which may be several files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sttk.toolkit.checkpoints.onnx_graph import external, proto
from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError
from sttk.toolkit.io.choices import SUFFIX
from sttk.toolkit.io.files import sha256


def checkpoint_sha256(path: Path) -> str:
    """Return the hex digest of a checkpoint: a file or folder, and weights that lie beside it.

    Where an ``.onnx`` file has its weights in other files, the digest is that of its own digest,
    and of the others' names and digests, sorted by name.

    Raises:
        OSError: it cannot be read.
        MissingExtraError: it is an ``.onnx`` file, and onnx is not installed.
    """
    own = sha256(path)
    beside = _beside(path)
    if not beside:
        return own
    whole = hashlib.sha256(f"{own}\0".encode())
    for name, file in beside.items():
        whole.update(f"{name}\0{sha256(file)}\0".encode())
    return whole.hexdigest()


def _beside(path: Path) -> dict[str, Path]:
    if path.suffix.lower() != SUFFIX or not path.is_file():
        return {}
    try:
        return external.files_beside(proto.parse(path), path.parent)
    except UnreadableError:
        return {}
