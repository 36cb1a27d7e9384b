"""Loading of third-party checkpoints: keys identify the layout, and shapes give the widths.

``load(path)`` is the whole interface. A new layout is one module here and its name in ``LAYOUTS``.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from sttk.toolkit.checkpoints import lengstrom, native, onnx_graph
from sttk.toolkit.checkpoints.digest import checkpoint_sha256
from sttk.toolkit.checkpoints.layout import Layout, Loaded, Tensors
from sttk.toolkit.checkpoints.nearest import near, nearest, reason, shown
from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.core.style_net import Origin, StyleNet
from sttk.toolkit.io.choices import SUFFIX, split_choices
from sttk.toolkit.io.files import MOST_BYTES
from sttk.toolkit.io.pickles import read_pickle

# Each is the name of a module here; the first that matches is taken.
LAYOUTS = (
    "pytorch_examples",
    "rrmina",
    "lengstrom",
    "mobilenetv2",
)

# Training scripts nest the weights under these keys, next to the optimiser's state.
_NESTS = ("state_dict", "model_state_dict", "model", "net")
_SHOWN_KEYS = 5
# The largest known net has 190. A key takes a few bytes of the file, but the block that it implies
# takes milliseconds to build.
_MOST_TENSORS = 1000


@cache
def layouts() -> tuple[Layout, ...]:
    """Return the layouts that are recognised by their tensors, in the order of ``LAYOUTS``."""
    return tuple(cast("Layout", importlib.import_module(f"{__name__}.{name}")) for name in LAYOUTS)


def load(path: str | Path, *, name: str | None = None, source: str | None = None) -> StyleNet:
    """Read a style net from a file (or, for the lengstrom layout, a folder).

    Args:
        path: a ``.pth``/``.model``/``.pt`` file from ``torch.save`` in either format, a
            ``.safetensors`` or ``.onnx`` file (optionally followed by choices, such as
            ``x.onnx#style=3``), or a folder of raw tensors with a ``manifest.json``.
        name: the net's short name; the file's stem by default.
        source: the checkpoint's name in the manifest; the absolute path by default.

    Raises:
        CheckpointError: the file is missing or unreadable, has no known layout, or holds weights
            that are not finite real numbers. No code in the file is run.
    """
    path, choices = split_choices(path)
    if not path.exists():
        raise CheckpointError(f"{path}: no such file")
    _check_kind(path)
    layout, loaded = _read(path, choices)
    _check_finite(path, loaded)
    resolved = path.resolve()
    name = name or (resolved.stem.lstrip(".") or "unnamed") + onnx_graph.name_of(choices)
    source = source or f"{resolved}{choices and '#'}{choices}"
    origin = Origin(name, source, checkpoint_sha256(path), layout, loaded.card)
    return StyleNet(loaded.net, loaded.contract, origin)


def _check_kind(path: Path) -> None:
    """Refuse pipes and devices, which may never end, and files too large to be a style net."""
    if path.is_dir():
        return
    if not path.is_file():
        raise CheckpointError(f"{path}: neither a file nor a folder")
    if path.stat().st_size > MOST_BYTES:
        raise CheckpointError(f"{path}: more than {MOST_BYTES} bytes")


def _read(path: Path, choices: str) -> tuple[str, Loaded]:
    if path.suffix.lower() == SUFFIX and path.is_file():
        return onnx_graph.NAME, onnx_graph.read(path, choices)
    if path.is_dir():
        return _build(path, lengstrom.read_folder(path))
    if path.suffix == ".safetensors":
        state, about = native.read(path)
        _check_real(path, state)
        return (native.NAME, native.build(path, state, about)) if about else _build(path, state)
    state = _tensors(path, read_pickle(path))
    _check_real(path, state)
    return _build(path, state)


def _check_real(path: Path, state: Tensors) -> None:
    """Refuse complex tensors, whose imaginary parts torch would drop, and quantised ones."""
    for key, value in state.items():
        if value.is_complex() or value.is_quantized:
            raise CheckpointError(f"{path}: {key} is of {value.dtype}")


def _tensors(path: Path, content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the weights alone, without a script's nesting or DataParallel's prefix."""
    for nest in _NESTS:
        if isinstance(content.get(nest), Mapping):
            content = content[nest]
    return {
        str(key).removeprefix("module."): _dense(path, str(key), value)
        for key, value in content.items()
        if isinstance(value, Tensor)
    }


def _dense(path: Path, key: str, value: Tensor) -> Tensor:
    """Return the tensor if the file holds all of its values.

    Sparse, meta and expanded tensors claim sizes that no bytes back, and would take that memory
    when they are made dense.
    """
    plain = value.layout == torch.strided and value.device.type == "cpu"
    if not plain or value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise CheckpointError(f"{path}: {key} is not a plain tensor")
    return value


def _build(path: Path, state: Tensors) -> tuple[str, Loaded]:
    if len(state) > _MOST_TENSORS:
        raise CheckpointError(f"{path}: {len(state)} tensors are more than {_MOST_TENSORS}")
    for layout in layouts():
        if layout.matches(state):
            try:
                return layout.NAME, layout.build(state)
            except (RuntimeError, KeyError, ValueError, IndexError) as error:
                # With keys of another net it is no broken one, but another.
                if near(layout, state).strangers:
                    raise _unknown(path, state) from error
                raise CheckpointError(
                    f"{path}: a broken {layout.NAME} net: {reason(error)}"
                ) from error
    raise _unknown(path, state)


def _unknown(path: Path, state: Tensors) -> CheckpointError:
    known = ", ".join([native.NAME, *(layout.NAME for layout in layouts())])
    found = nearest(layouts(), state)
    return CheckpointError(
        f"{path}: no known checkpoint layout; {found or f'first keys: {_first_keys(state)}'}; "
        f"layouts tried: {known}",
        fix="see 'sttk styles --layouts' for what each looks like",
    )


def _first_keys(state: Tensors) -> str:
    keys = [shown(key) for key in list(state)[:_SHOWN_KEYS]]
    return ", ".join(keys) if keys else "none (the file holds no tensors)"


def _check_finite(path: Path, loaded: Loaded) -> None:
    for key, value in loaded.net.state_dict().items():
        if not torch.isfinite(value).all():
            raise CheckpointError(f"{path}: {key} holds NaN or infinity")
