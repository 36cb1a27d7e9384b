"""lengstrom/fast-style-transfer: the folder of raw tensors that its deeplearn.js port reads.

``manifest.json`` maps ``Variable``, ``Variable_1``, ... (numbered in the order in which
src/transform.py creates them) to a file of little-endian float32 and its shape. Each layer is three
consecutive variables: the convolution's weight, the norm's shift, the norm's scale. The input is
RGB in 0..255, as in its evaluate.py and in the port (reiinakano/fast-style-transfer-deeplearnjs,
src/imagenet_util.ts). The net was trained on x / 255, a scale that the first norm cancels but for
its epsilon.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sttk.toolkit.checkpoints.layout import Loaded, Tensors
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.io.files import read_bounded
from sttk.toolkit.io.json_text import loads
from sttk.toolkit.io.recognise import recognise
from sttk.toolkit.nets.lengstrom import LengstromNet, LengstromSpec

NAME = "lengstrom"
DESCRIPTION = "lengstrom fast-style-transfer: X.ckpt, or a folder with manifest.json (Variable...)"

_MANIFEST = "manifest.json"
_MANIFEST_BYTES = 1 << 20
_FLOAT = np.dtype("<f4")
_MOST_DIMS = 4

_VARIABLE = re.compile(r"Variable(?:_[1-9]\d*)?")
KEYS = _VARIABLE
_PER_LAYER = 3
# Three convolutions down, two up and the last; each block adds two.
_LAYERS_WITHOUT_BLOCKS = 6


def matches(state: Tensors) -> bool:
    """Recognise the layout: all names are ``Variable``, ``Variable_1``, ..., from RGB to RGB."""
    if len(state) % _PER_LAYER or len(state) < _PER_LAYER * _LAYERS_WITHOUT_BLOCKS:
        return False
    if not all(_VARIABLE.fullmatch(key) for key in state):
        return False
    first, last = state.get(_name(0)), state.get(_name(len(state) - _PER_LAYER))
    if first is None or last is None or first.ndim != 4 or last.ndim != 4:
        return False
    return first.shape[2] == 3 and last.shape[3] == 3


def build(state: Tensors) -> Loaded:
    """Return a :class:`LengstromNet` whose widths and blocks are read from the shapes."""
    if any(value.numel() == 0 for value in state.values()):
        raise ValueError("a tensor without values")
    spec = _spec(state)
    # Meta tensors take no memory, so widths that the file does not back cost nothing.
    with torch.device("meta"):
        net = LengstromNet(spec)
    modules = ("conv1", "conv2", "conv3", *_block_modules(spec.blocks), "up1", "up2", "head")
    layers = (_layer(state, index, module) for index, module in enumerate(modules))
    net.load_state_dict({key: value for layer in layers for key, value in layer}, assign=True)
    return Loaded(net, Contract(size_multiple=4, smallest_side=5))


def _name(index: int) -> str:
    return f"Variable_{index}" if index else "Variable"


def _spec(state: Tensors) -> LengstromSpec:
    layers = len(state) // _PER_LAYER
    blocks, odd = divmod(layers - _LAYERS_WITHOUT_BLOCKS, 2)
    if odd:
        raise ValueError(f"{layers} convolutions; a block has two, the rest of the net six")
    # A norm's shift has as many values as its convolution has outputs.
    indices = (0, 1, 2, layers - 3, layers - 2)
    full, half, quarter, *up = (state[_name(_PER_LAYER * i + 1)].numel() for i in indices)
    return LengstromSpec((full, half, quarter), (up[0], up[1]), blocks)


def _block_modules(blocks: int) -> list[str]:
    return [f"blocks.{i}.conv{j}" for i in range(blocks) for j in (1, 2)]


def _layer(state: Tensors, index: int, module: str) -> list[tuple[str, Tensor]]:
    weight, shift, scale = (state[_name(_PER_LAYER * index + i)] for i in range(_PER_LAYER))
    return [
        # HWIO -> OIHW. A transposed weight is HWOI and torch expects IOHW: the same permutation.
        (f"{module}.conv.weight", weight.float().permute(3, 2, 0, 1).contiguous()),
        (f"{module}.norm.bias", shift.float()),
        (f"{module}.norm.weight", scale.float()),
    ]


def read_folder(path: Path) -> dict[str, Tensor]:
    """Read the tensors that ``path/manifest.json`` names, as float32 in its shapes.

    Nothing outside the folder is read, and no more memory is taken than the files have bytes.

    Raises:
        CheckpointError: there is no manifest, or it is not of this kind; or a file is missing, is
            named twice, lies outside the folder, or has a size that does not match its shape.
    """
    if not (path / _MANIFEST).exists() and (kind := recognise(path)):
        raise CheckpointError(f"{path}: {kind.what}", fix=kind.fix)
    tensors: dict[str, Tensor] = {}
    seen: set[Path] = set()
    for name, entry in _read_manifest(path).items():
        filename, shape = _check_entry(path, name, entry)
        file = _inside(path, filename)
        # Otherwise a short manifest could have one large file read many times over.
        if file in seen:
            raise CheckpointError(f"{path}: {_MANIFEST} names {_shown(filename)} twice")
        seen.add(file)
        tensors[name] = _read_tensor(file, shape)
    return tensors


def _read_manifest(path: Path) -> Mapping[str, Any]:
    file = _inside(path, _MANIFEST)
    raw = _read_bytes(file, _MANIFEST_BYTES)
    if raw is None:
        raise CheckpointError(f"{file}: larger than {_MANIFEST_BYTES} bytes")
    try:
        content = loads(raw)
    except ValueError as error:
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{file}: not JSON ({reason})") from error
    if not isinstance(content, dict) or not content:
        raise CheckpointError(f"{file}: not a map from names to files and shapes")
    if "schema" in content and "checkpoint" in content:
        raise CheckpointError(
            f"{path}: an artifact of sttk, which was made from a checkpoint",
            fix="name the checkpoint, or pass the folder as --artifact where a command has one",
        )
    return content


def _check_entry(path: Path, name: str, entry: object) -> tuple[str, tuple[int, ...]]:
    """Return the file name and shape of an entry, ``{"filename": "Variable_1", "shape": [32]}``."""
    where = f"{path / _MANIFEST}: {_shown(name)}"
    if not isinstance(entry, dict) or not isinstance(entry.get("filename"), str):
        raise CheckpointError(f"{where} has no filename")
    shape = entry.get("shape")
    # Not isinstance, for which True is an int too.
    if not isinstance(shape, list) or not all(type(size) is int for size in shape):
        raise CheckpointError(f"{where} has no shape of whole numbers")
    if not 1 <= len(shape) <= _MOST_DIMS or min(shape) < 1:
        raise CheckpointError(f"{where} has the shape {_shown(shape)}, not 1 to 4 sizes from 1 up")
    return entry["filename"], tuple(shape)


def _inside(path: Path, filename: str) -> Path:
    """Resolve links and return the path, which must be a file in the folder."""
    try:
        folder, file = path.resolve(), (path / filename).resolve()
        if not file.is_relative_to(folder):
            raise CheckpointError(f"{path}: {_shown(filename)} is outside the folder")
        if not file.is_file():
            raise CheckpointError(f"{path}: no file {_shown(filename)} in the folder")
    except (OSError, ValueError, RuntimeError) as error:  # too long, a null byte, a loop of links
        raise CheckpointError(f"{path}: {_shown(filename)} is not a file name") from error
    return file


def _read_tensor(file: Path, shape: tuple[int, ...]) -> Tensor:
    expected = math.prod(shape) * _FLOAT.itemsize
    raw = _read_bytes(file, expected)
    if raw is None or len(raw) != expected:
        raise CheckpointError(
            f"{file}: not the {expected} bytes that float32 of shape {_shown(list(shape))} takes"
        )
    return torch.from_numpy(np.frombuffer(raw, _FLOAT).reshape(shape).astype(np.float32))


def _read_bytes(file: Path, most: int) -> bytes | None:
    """All of a regular file of at most ``most`` bytes, or None if it is larger."""
    try:
        return read_bounded(file, most)
    except ValueError:
        return None
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read ({error.strerror})") from error


def _shown(value: object) -> str:
    """Format a value from the manifest, which may be anything, on one short line."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
