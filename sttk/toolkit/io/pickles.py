"""Reading of untrusted files of tensors, without ever running code from them."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.io.recognise import beginning, is_torch_save, recognise
from sttk.toolkit.io.text import printable

# How torch begins to say that there are objects in it that it does not make.
_OBJECTS = r"Unsupported class|Trying to (call|instantiate)|Can only (build|create|set)"


def read_pickle(path: Path) -> Mapping[str, Any]:
    """Read a file of ``torch.save``, in its old or new format, with ``weights_only=True``.

    Raises:
        CheckpointError: the file is missing, empty, truncated or not a checkpoint, or its pickle
            names anything but tensors and plain containers.
    """
    if not path.exists():
        raise CheckpointError(f"{path}: no such file")
    try:
        _check_unpacked(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    # A malicious or broken file can make the unpickler raise nearly anything.
    except Exception as error:
        raise _refusal(path, error) from error
    if not isinstance(content, Mapping):
        kind = type(content).__name__
        raise CheckpointError(f"{path}: holds a {kind}, not a dictionary of tensors")
    return content


def _check_unpacked(path: Path) -> None:
    """Refuse compressed archives: torch.save never compresses, and they could fill the memory."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    # Two entries can be the same bytes of the file.
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise CheckpointError(f"{path}: its entries are packed, which torch.save never does")


def _refusal(path: Path, error: Exception) -> CheckpointError:
    """Return what is wrong with a file that could not be read, in words that are not torch's."""
    if kind := recognise(path):
        return CheckpointError(f"{path}: {kind.what}", fix=kind.fix)
    if isinstance(error, CheckpointError):
        return error
    if isinstance(error, OSError) and error.strerror:
        return CheckpointError(f"{path}: cannot be read: {error.strerror}")
    if not is_torch_save(path):
        return CheckpointError(
            f"{path}: no checkpoint, nor of a kind that sttk knows: it begins with "
            f"{beginning(path)}",
            fix="sttk reads files of torch.save, .safetensors and .onnx",
        )
    return _damage(path, str(error))


def _damage(path: Path, reason: str) -> CheckpointError:
    """Return what is wrong with a file that torch.save wrote, or seems to have written."""
    named = re.search(r"GLOBAL (\S+)", reason)
    if named or re.search(_OBJECTS, reason):
        what = f" ({printable(named[1])})" if named else ""
        return CheckpointError(
            f"{path}: refused: it holds more than tensors{what}, which could run code when it is "
            "loaded; nothing was run",
            fix="where you trust it, save its weights alone: "
            "torch.save(net.state_dict(), 'weights.pth')",
        )
    if "Unsupported operand" in reason:
        return CheckpointError(
            f"{path}: damaged, or saved with another pickle_protocol than torch.save's own",
            fix="save it again with torch.save(net.state_dict(), 'weights.pth')",
        )
    return CheckpointError(
        f"{path}: damaged: it begins as a file of torch.save, and cannot be read to its end",
        fix="download or copy it again",
    )
