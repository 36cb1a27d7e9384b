"""Descriptions of files and folders: artifacts, models from any exporter, and checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sttk.toolkit import styles, targets
from sttk.toolkit.artifact.contents import file_faults, file_of
from sttk.toolkit.artifact.manifest import model_sha256
from sttk.toolkit.artifact.search import Entry, outermost, search
from sttk.toolkit.core.errors import CheckpointError, SttkError, UsageError
from sttk.toolkit.io.choices import split_choices
from sttk.toolkit.io.files import size_of
from sttk.toolkit.io.recognise import recognise
from sttk.toolkit.io.text import printable

Facts = dict[str, Any]
_NESTING = (dict, list, tuple)
_SHOWN = 8
_INDENT = "  "


def inspect(path: Path) -> Facts:
    """Describe a path as plain JSON values.

    The first is ``kind``: ``artifact``, ``model`` or ``checkpoint``.

    Args:
        path: a file or folder, or the name of a shipped style.

    Raises:
        SttkError: it is none of these, or the library that describes it is not installed.
    """
    found = path if path.exists() else styles.locate(str(path))
    if found is None:
        raise UsageError(f"{path}: no such file, folder or style")
    if split_choices(path)[1]:
        return _checkpoint(path)
    if targets.of_model(found):
        return _model(found)
    artifacts = outermost(search(found)) if found.is_dir() else []
    if len(artifacts) > 1:
        raise UsageError(f"{path}: holds {len(artifacts)} artifacts", fix="name the folder of one")
    return _artifact(artifacts[0]) if artifacts else _checkpoint(found)


def _artifact(entry: Entry) -> Facts:
    folder, manifest = entry.folder, entry.manifest
    facts = {
        key: value for key, value in manifest.to_dict().items() if key not in ("files", "model")
    }
    files = {name: file_of(folder, name) for name in manifest.files}
    return {
        "kind": "artifact",
        "path": str(folder),
        **facts,
        "bytes": size_of(folder),
        "files": {name: size_of(file) for name, file in files.items() if file},
        "model_sha256": model_sha256(manifest),
        "faults": [str(fault) for fault in file_faults(folder, manifest)],
        "model": _described(folder, manifest.model),
    }


def _described(folder: Path, name: str) -> Facts:
    """Return the model's facts, or the reason why there are none; the manifest is shown anyway."""
    model = file_of(folder, name)
    if model is None:
        return {"file": name, "not described": "missing, or outside the artifact's folder"}
    try:
        return _model(model)
    except SttkError as error:
        return {"file": model.name, "not described": str(error)}


def _model(path: Path) -> Facts:
    target = targets.of_model(path)
    if target is None:
        known = ", ".join(targets.suffixes())
        raise UsageError(f"{path}: no model that sttk knows ({known})")
    return {
        "kind": "model",
        "path": str(path),
        "format": path.suffix.removeprefix("."),
        "bytes": size_of(path),
        **target.describe(path),
    }


def _checkpoint(path: Path) -> Facts:
    # Imports torch, which the rest does not need.
    from torch import nn  # noqa: PLC0415

    from sttk.toolkit.checkpoints import load  # noqa: PLC0415

    try:
        net = load(path)
    except CheckpointError as error:
        if recognise(path):
            raise
        known = ", ".join(targets.suffixes())
        raise UsageError(
            f"{error.message}; nor is it an artifact or a model ({known})", fix=error.fix
        ) from error
    inner: Any = net.net
    spec = getattr(inner, "spec", None)
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    return {
        "kind": "checkpoint",
        "path": str(path),
        "layout": net.origin.layout,
        **({"peeled off": net.origin.peeled} if net.origin.peeled else {}),
        "net": type(inner).__name__,
        "spec": vars(spec) if spec else {},
        "widths": [convolution.out_channels for convolution in convolutions],
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "bytes": size_of(split_choices(path)[0]),
        "sha256": net.origin.sha256,
        "contract": net.contract.to_dict(),
        "convention": str(net.convention),
        "guessed": [str(guess) for guess in net.origin.guesses],
        "card": net.origin.card,
    }


def lines(facts: Facts, indent: str = "") -> Iterator[str]:
    """Yield the facts as lines of text, indented by depth, with long lists shortened."""
    for key, value in facts.items():
        label = f"{indent}{printable(str(key))}"
        if isinstance(value, dict) and value:
            yield label
            yield from lines(value, indent + _INDENT)
        elif isinstance(value, list | tuple) and any(isinstance(v, _NESTING) for v in value):
            yield from _nested(label, list(value), indent + _INDENT)
        else:
            yield f"{label}: {_brief(value)}"


def _nested(label: str, values: list[Any], indent: str) -> Iterator[str]:
    if not any(isinstance(value, dict) for value in values):
        yield f"{label}: {_brief(['x'.join(map(str, v)) for v in values])}"
        return
    yield f"{label}: {len(values)}"
    for number, value in enumerate(values[:_SHOWN], 1):
        yield from lines({str(number): value}, indent)
    if len(values) > _SHOWN:
        yield f"{indent}..."


def _brief(value: Any) -> str:
    if value is None or value in ("", [], (), {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        shown = ", ".join(map(_brief, value[:_SHOWN]))
        return f"{shown}, ... ({len(value)} in all)" if len(value) > _SHOWN else shown
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) and value > 99_999 else printable(str(value))
