"""lengstrom's nets as TensorFlow saved them: ``X.ckpt`` alone, or with ``.index`` and ``.data``.

The variables are those of the folder that :mod:`sttk.toolkit.checkpoints.lengstrom` reads; the rest
of a file is Adam's.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.io import tensorflow
from sttk.toolkit.io.files import read_bounded
from sttk.toolkit.io.text import printable

# The net has 20 MB with Adam's variables, and its .meta file is not read.
_MOST_BYTES = 1 << 28
_VARIABLE = re.compile(r"Variable(?:_[1-9]\d{0,3})?")


def located(path: Path) -> Path:
    """Return the file for what TensorFlow calls a checkpoint, a prefix of names; else the path."""
    index = path.with_name(f"{path.name}{tensorflow.INDEX}")
    if not path.exists() and index.is_file():
        return index
    if path.name.endswith(tensorflow.DATA):
        return path.with_name(path.name.removesuffix(tensorflow.DATA) + tensorflow.INDEX)
    return path


def is_file(path: Path) -> bool:
    """Return whether a file is one of TensorFlow's, by its name or its last bytes."""
    if path.name.endswith(tensorflow.INDEX):
        return True
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 8))
        return tensorflow.is_table(stream.read(8))


def read(path: Path) -> dict[str, Tensor]:
    """Read the variables of a checkpoint, whose hash is that of its index: it holds checksums.

    Raises:
        CheckpointError: a file is missing or broken.
    """
    try:
        content = read_bounded(path, _MOST_BYTES)
        if path.name.endswith(tensorflow.INDEX):
            data = path.with_name(path.name.removesuffix(tensorflow.INDEX) + tensorflow.DATA)
            if not data.is_file():
                raise CheckpointError(f"{path}: no file {printable(data.name)} beside it")
            found = tensorflow.read_bundle(content, read_bounded(data, _MOST_BYTES), _is_variable)
        else:
            found = tensorflow.read_slices(content, _is_variable)
    except (ValueError, OSError) as error:
        reason = printable(" ".join(str(error).split()))[:200]
        raise CheckpointError(f"{path}: not a readable TensorFlow file: {reason}") from error
    return {name: torch.from_numpy(array.copy()) for name, array in found.items()}


def _is_variable(name: str) -> bool:
    return bool(_VARIABLE.fullmatch(name))
