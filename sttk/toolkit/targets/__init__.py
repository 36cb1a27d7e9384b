"""The export targets: a package for each, and the list of their names."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sttk.toolkit.core.errors import ArtifactError, UsageError
from sttk.toolkit.core.shapes import ShapesError
from sttk.toolkit.io.recognise import stand_in

if TYPE_CHECKING:
    from sttk.toolkit.artifact.manifest import Manifest
    from sttk.toolkit.runtimes.base import Check, Runner, Settings
    from sttk.toolkit.targets.base import Target
    from sttk.toolkit.targets.intermediates import InstrumentedModel
    from sttk.toolkit.targets.structure import Structure

# Each is the name of a package here and, unless it can only be run, of one in sttk/exporters; the
# first is the default.
NAMES = (
    "onnx",
    "openvino",
    "trt",
    "coreml",
    "coreai",
    "ncnn",
    "litert",
    "executorch",
    "web",
)
DEFAULT = NAMES[0]


@cache
def target(name: str) -> Target:
    """Return the target with this name.

    Raises:
        UsageError: there is no such target.
    """
    if name not in NAMES:
        raise UsageError(f"{name}: no such target; known: {', '.join(NAMES)}")
    found: Target = importlib.import_module(f"{__name__}.{name}").TARGET
    return found


def every() -> tuple[Target, ...]:
    """Return all targets, in the order of ``NAMES``."""
    return tuple(map(target, NAMES))


def distributions() -> tuple[str, ...]:
    """Return the distributions that any target needs, each once."""
    every_one = (
        name for each in every() for name in (*each.requires.libraries(), *each.requires.runs)
    )
    return tuple(dict.fromkeys(every_one))


def suffixes() -> tuple[str, ...]:
    """Return the suffixes of all model files and packages."""
    return tuple(each.suffix for each in every())


def of_model(model: Path) -> Target | None:
    """Return the target of a model file or package by its suffix, or None if none has it.

    A folder is a model only where the target's models are packages: ``styles.onnx/`` is a folder
    that somebody called so.
    """
    found = next((each for each in every() if each.suffix == model.suffix), None)
    return None if found and model.is_dir() and not found.is_package else found


def required(model: Path) -> Target:
    """Return the target of a model file or package.

    Raises:
        UsageError: there is no such file, or no target has such files.
    """
    if not model.exists():
        raise UsageError(f"{model}: no such file")
    found = of_model(model)
    if found is None:
        what = "a folder, and no model" if model.is_dir() else "no runtime for it"
        raise UsageError(f"{model}: {what}; known: {', '.join(suffixes())}")
    return found


def is_model(path: Path) -> bool:
    """Return whether a path is a file or a package, a folder such as ``model.mlpackage``."""
    return path.is_file() or of_model(path) is not None


def open_model(model: Path, settings: Settings | None = None) -> Runner:
    """Load a model in the runtime for its suffix.

    Raises:
        UsageError: there is no runtime for such a file, or it does not support ``settings``.
        ArtifactError: the model cannot be loaded.
        NotRunError: something that the runtime needs, such as a GPU, is missing.
    """
    found = required(model)
    try:
        return found.open_model(model, settings)
    except ShapesError as error:
        raise ArtifactError(f"{model}: {error}") from error
    except ArtifactError as error:
        if kind := stand_in(model):
            raise ArtifactError(f"{model}: {kind.what}", fix=kind.fix) from error
        raise


def static_checks(model: Path, manifest: Manifest | None = None) -> tuple[Check, ...]:
    """Check a model file without running it; see ``Target.checks``."""
    found = of_model(model)
    return found.checks(model, manifest) if found else ()


def structure_of(model: Path) -> Structure:
    """Read what a model's graph says, without a runtime.

    Raises:
        NotReadError: sttk does not read this format, or not this file.
        ArtifactError: it is not a model of its target.
    """
    from sttk.toolkit.targets.structure import NotReadError  # noqa: PLC0415 (needs numpy)

    found = of_model(model)
    read = found.structure(model) if found else None
    if read is None:
        raise NotReadError(f"{found.name if found else model.suffix} models are not read")
    return read


def open_intermediates(model: Path) -> InstrumentedModel:
    """Give access to a model's intermediate tensors.

    Raises:
        UsageError: the intermediate tensors of this format cannot be read.
        SttkError: the model cannot be loaded.
    """
    found = of_model(model)
    if found is None or not found.has_intermediates:
        able = ", ".join(each.suffix for each in every() if each.has_intermediates)
        why = f": {found.opaque}" if found and found.opaque else ""
        raise UsageError(
            f"{model}: no bisection of {model.suffix or 'such'} models{why}",
            fix=f"it takes {able}",
        )
    return found.intermediates(model)
