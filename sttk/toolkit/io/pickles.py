"""Reading of untrusted files of tensors, without ever running code from them."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sttk.toolkit.core.errors import CheckpointError


def read_pickle(path: Path) -> Mapping[str, Any]:
    """Read a file of ``torch.save``, in its old or new format, with ``weights_only=True``.

    Raises:
        CheckpointError: the file is missing, empty, truncated or not a checkpoint, or its pickle
            names anything but tensors and plain containers.
    """
    try:
        if path.stat().st_size == 0:
            raise CheckpointError(f"{path}: the file is empty")
        _check_unpacked(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path}: {_reason(error)}") from error
    # A malicious or broken file can make the unpickler raise nearly anything.
    except Exception as error:
        raise CheckpointError(
            f"{path}: not a readable checkpoint ({_first_line(error)})"
        ) from error
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


def _reason(error: Exception) -> str:
    if named := re.search(r"GLOBAL (\S+)", str(error)):
        return f"refused: the pickle names {named[1]}, which is not a tensor; nothing was run"
    # torch's own message explains for a page how to switch the check off.
    if detail := re.search(r"WeightsUnpickler error:\s*(.+)", str(error)):
        return f"not a readable checkpoint ({detail[1][:160]})"
    return f"not a readable checkpoint ({_first_line(error)})"


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:160] if text else type(error).__name__
