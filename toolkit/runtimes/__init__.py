"""Runtimes: one file each, and a line here for those that run an artifact's file."""

from __future__ import annotations

import importlib
from pathlib import Path

from toolkit.errors import UsageError
from toolkit.runtimes.base import Runner

# Suffix of a model file -> the runtime that runs it.
FILE_RUNTIMES = {".onnx": "toolkit.runtimes.onnxruntime:OnnxRuntimeRunner"}


def open_model(model: Path) -> Runner:
    """The runtime for a model file, by its suffix, with the model loaded.

    Raises:
        UsageError: no runtime for such a file; ArtifactError: it cannot be loaded.
    """
    if not model.exists():
        raise UsageError(f"{model}: no such file")
    if model.suffix not in FILE_RUNTIMES:
        raise UsageError(f"{model}: no runtime for it; known: {', '.join(FILE_RUNTIMES)}")
    module, name = FILE_RUNTIMES[model.suffix].split(":")
    runner: Runner = getattr(importlib.import_module(module), name)(model)
    return runner
