"""Loading of third-party checkpoints: keys identify the layout, and shapes give the widths.

``load(path)`` is the whole interface. A new layout is one module here and its name in ``LAYOUTS``.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import torch

from sttk.toolkit.checkpoints import jcjohnson, lengstrom, lengstrom_ckpt, native, onnx_graph
from sttk.toolkit.checkpoints.digest import checkpoint_sha256
from sttk.toolkit.checkpoints.layout import (
    INPUT_AND_OUTPUT,
    Layout,
    Loaded,
    Tensors,
    TracksStatistics,
)
from sttk.toolkit.checkpoints.nearest import near, nearest, reason, shown
from sttk.toolkit.checkpoints.peel import Candidate, candidates, chosen
from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.core.guessing import say
from sttk.toolkit.core.style_net import Origin, StyleNet
from sttk.toolkit.io.choices import SUFFIX, Choices, parse_choices, split_choices
from sttk.toolkit.io.files import MOST_BYTES
from sttk.toolkit.io.pickles import read_pickle

# Each is the name of a module here; the first that matches is taken.
LAYOUTS = (
    "pytorch_examples",
    "abhiskk",
    "dxyang",
    "gordicaleksa",
    "yakhyo",
    "eriklindernoren",
    "igreat",
    "joshbrew",
    "joshbrew_separable",
    "junyanz",
    "bryandlee",
    "rrmina",
    "lengstrom",
    "mobilenetv2",
    "other_names",  # the last resort
)

_SHOWN_KEYS = 5
# The largest known net has 190. A key takes a few bytes of the file, but the block that it implies
# takes milliseconds to build.
_MOST_TENSORS = 1000


@cache
def layouts() -> tuple[Layout, ...]:
    """Return the layouts that are recognised by their tensors, in the order of ``LAYOUTS``."""
    return tuple(cast("Layout", importlib.import_module(f"{__name__}.{name}")) for name in LAYOUTS)


def described() -> list[tuple[str, str]]:
    """Return the name and the description of all that can be read, layouts of tensors last."""
    formats = [(each.NAME, each.DESCRIPTION) for each in (native, onnx_graph, jcjohnson)]
    return formats + [(layout.NAME, layout.DESCRIPTION) for layout in layouts()]


def load(path: str | Path, *, name: str | None = None, source: str | None = None) -> StyleNet:
    """Read a style net from a file (or, for the lengstrom layout, a folder).

    Args:
        path: a ``.pth``/``.model``/``.pt`` file from ``torch.save`` in either format, Torch7's
            ``.t7``, TensorFlow's ``.ckpt``, a ``.safetensors`` or ``.onnx`` file, or a folder of
            raw tensors with a ``manifest.json``; each may be followed by choices
            (:mod:`sttk.toolkit.io.choices`), such as ``x.onnx#style=3``.
        name: the net's short name; by default the style's in the card of a run's ``net``, else the
            file's stem.
        source: the checkpoint's name in the manifest; the absolute path by default.

    Raises:
        CheckpointError: the file is missing or unreadable, has no known layout, or holds weights
            that are not finite real numbers. No code in the file is run.
        UsageError: there is no such choice.
    """
    path, said = split_choices(path)
    path = lengstrom_ckpt.located(path)
    if not path.exists():
        raise CheckpointError(f"{path}: no such file")
    _check_kind(path)
    choices = parse_choices(said)
    layout, loaded = _read(path, choices)
    _check_finite(path, loaded)
    resolved = path.resolve()
    stem = native.style_of(resolved.stem, loaded.card) or resolved.stem.lstrip(".") or "unnamed"
    name = name or stem + _suffix(choices)
    source = source or f"{resolved}{said and '#'}{said}"
    digest = checkpoint_sha256(path)
    origin = Origin(name, source, digest, layout, loaded.card, loaded.guesses, loaded.peeled)
    say(name, loaded.guesses)
    return StyleNet(loaded.net, loaded.contract, origin, loaded.convention)


def _suffix(choices: Choices) -> str:
    """Return what the choices add to a net's name, such as ``-style3``."""
    return "" if choices.style is None else f"-style{choices.style}"


def _check_kind(path: Path) -> None:
    """Refuse pipes and devices, which may never end, and files too large to be a style net."""
    if path.is_dir():
        return
    if not path.is_file():
        raise CheckpointError(f"{path}: neither a file nor a folder")
    if path.stat().st_size > MOST_BYTES:
        raise CheckpointError(f"{path}: more than {MOST_BYTES} bytes")


def _read(path: Path, choices: Choices) -> tuple[str, Loaded]:
    if path.suffix.lower() == SUFFIX and path.is_file():
        return onnx_graph.NAME, onnx_graph.read(path, choices)
    layout, loaded = _read_weights(path, choices)
    return layout, _converted(path, loaded, choices)


def _read_weights(path: Path, choices: Choices) -> tuple[str, Loaded]:
    if path.is_file() and path.suffix == ".safetensors":
        state, about = native.read(path)
        if about:
            _check_plain(path, state)
            _check_no_parts(path, choices, native.NAME)
            return native.NAME, native.build(path, state, about)
        return _build(path, state, choices)
    if path.is_file() and jcjohnson.is_file(path):
        _check_no_parts(path, choices, jcjohnson.NAME)
        return jcjohnson.NAME, jcjohnson.read(path)
    return _build(path, _content(path), choices)


def _converted(path: Path, loaded: Loaded, choices: Choices) -> Loaded:
    """Return the net with the convention that the user says it has, in place of its layout's.

    Raises:
        CheckpointError: the layout itself has turned its author's values into RGB in 0..255.
    """
    convention = choices.convention(loaded.convention)
    if convention == loaded.convention:
        return loaded
    if loaded.turned:
        raise CheckpointError(
            f"{path}: what this layout's nets take and give is known, and made RGB in 0..255",
            fix="leave out #input=, #output= and #channels=",
        )
    said = {"input": convention.input.text, "output": convention.output.text}
    said["channels"] = f"{convention.input.order}, {convention.output.order}"
    card = {**loaded.card, **{key: f"{value} (as asked for)" for key, value in said.items()}}
    guesses = tuple(each for each in loaded.guesses if each.what != INPUT_AND_OUTPUT)
    return replace(loaded, card=card, convention=convention, guesses=guesses)


def _check_no_parts(path: Path, choices: Choices, layout: str) -> None:
    """Refuse choices of what a file of this layout has but one."""
    if choices.style is not None:
        raise CheckpointError(f"{path}: the file has but one style", fix="leave out #style=")
    if choices.norm is not None:
        raise _one_kind_of_norm(path, choices.norm, layout)


def _one_kind_of_norm(path: Path, norm: str, layout: str) -> CheckpointError:
    return CheckpointError(
        f"{path}#norm={norm}: nets of the layout {layout} have one kind of norm",
        fix="leave out #norm=",
    )


def _content(path: Path) -> Mapping[str, Any]:
    if path.is_dir():
        return lengstrom.read_folder(path)
    return lengstrom_ckpt.read(path) if lengstrom_ckpt.is_file(path) else read_pickle(path)


def _check_plain(path: Path, state: Tensors) -> None:
    """Refuse tensors that are not plain real numbers, or of which the file holds only a part.

    torch would drop the imaginary parts of complex ones. Sparse, meta and expanded tensors claim
    sizes that no bytes back, and would take that memory when they are made dense.
    """
    for key, value in state.items():
        plain = value.layout == torch.strided and value.device.type == "cpu"
        if value.is_complex() or value.is_quantized:
            raise CheckpointError(f"{path}: {key} is of {value.dtype}")
        if not plain or value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise CheckpointError(f"{path}: {key} is not a plain tensor")


def _build(path: Path, content: Mapping[str, Any], choices: Choices) -> tuple[str, Loaded]:
    style = choices.style
    found = [candidate.of_style(style or 0) for candidate in candidates(content)]
    for layout in layouts():
        try:
            if candidate := chosen(found, layout.matches):
                _check_style(path, candidate, style)
                return layout.NAME, _loaded(path, layout, candidate, choices.norm)
        except ValueError as error:
            raise CheckpointError(f"{path}: {error}") from error
    raise _unknown(path, found[0].state)


def _unknown(path: Path, state: Tensors) -> CheckpointError:
    known = ", ".join([native.NAME, *(layout.NAME for layout in layouts())])
    found = nearest(layouts(), state)
    return CheckpointError(
        f"{path}: no known checkpoint layout; {found or f'first keys: {_first_keys(state)}'}; "
        f"layouts tried: {known}",
        fix="see 'sttk styles --layouts' for what each looks like",
    )


def _check_style(path: Path, candidate: Candidate, style: int | None) -> None:
    """Refuse to guess a style, and styles that the file does not hold."""
    last = candidate.styles - 1
    if style is None and candidate.styles:
        fix = f"name one of them: {path.name}#style=0" + f" to {last}" * bool(last)
        raise CheckpointError(f"{path}: holds {candidate.styles} styles", fix=fix)
    if style is not None and style > last:
        held = f"styles 0 to {last}" if candidate.styles else "one style"
        raise CheckpointError(f"{path}: #style={style}, but it holds {held}")


def _loaded(path: Path, layout: Layout, candidate: Candidate, norm: str | None) -> Loaded:
    if len(candidate.state) > _MOST_TENSORS:
        raise CheckpointError(
            f"{path}: {len(candidate.state)} tensors are more than {_MOST_TENSORS}"
        )
    _check_plain(path, candidate.state)
    try:
        return replace(_built(path, layout, candidate.state, norm), peeled=str(candidate))
    except (RuntimeError, KeyError, ValueError, IndexError) as error:
        # With keys of another net it is no broken one, but another.
        if near(layout, candidate.state).strangers:
            raise _unknown(path, candidate.state) from error
        raise CheckpointError(f"{path}: a broken {layout.NAME} net: {reason(error)}") from error


def _built(path: Path, layout: Layout, state: Tensors, norm: str | None) -> Loaded:
    if isinstance(layout, TracksStatistics):
        try:
            return layout.build(state, norm)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error.message}", fix=error.fix) from error
    if norm is not None:
        raise _one_kind_of_norm(path, norm, layout.NAME)
    return layout.build(state)


def _first_keys(state: Tensors) -> str:
    keys = [shown(key) for key in list(state)[:_SHOWN_KEYS]]
    return ", ".join(keys) if keys else "none (the file holds no tensors)"


def _check_finite(path: Path, loaded: Loaded) -> None:
    for key, value in loaded.net.state_dict().items():
        if not torch.isfinite(value).all():
            raise CheckpointError(f"{path}: {key} holds NaN or infinity")
