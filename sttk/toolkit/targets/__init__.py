"""Runtimes: one file each, and a line here for those that run an artifact's file."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit.core.errors import ArtifactError, UsageError
from sttk.toolkit.core.shapes import ShapesError

if TYPE_CHECKING:  # they import NumPy, which 'sttk doctor' does without
    from sttk.toolkit.runtimes.base import Check, Runner, Settings

# Suffix of a model file or package -> the runtime that runs it.
FILE_RUNTIMES = {
    ".onnx": "sttk.toolkit.targets.onnx.runner:OnnxRuntimeRunner",
    ".xml": "sttk.toolkit.targets.openvino.runner:OpenVinoRunner",
    ".engine": "sttk.toolkit.targets.trt.runner:TensorrtRunner",
    ".mlpackage": "sttk.toolkit.targets.coreml.runner:CoreMLRunner",
    ".aimodel": "sttk.toolkit.targets.coreai.runner:CoreAiRunner",
    ".param": "sttk.toolkit.targets.ncnn.runner:NcnnRunner",
    ".tflite": "sttk.toolkit.targets.litert.runner:LiteRtRunner",
    ".pte": "sttk.toolkit.targets.executorch.runner:ExecuTorchRunner",
    ".html": "sttk.toolkit.targets.web.runner:WebRunner",
}
# Suffix -> what can be told by looking at the file alone: (model) -> Check, ...
STATIC_CHECKS = {
    ".engine": "sttk.toolkit.targets.trt.checks:check",
    ".mlpackage": "sttk.toolkit.targets.coreml.checks:static_checks",
}


def open_model(model: Path, settings: Settings | None = None) -> Runner:
    """The runtime for a model file, by its suffix, with the model loaded.

    Raises:
        UsageError: no runtime for such a file, or one that cannot run as ``settings`` say.
        ArtifactError: it cannot be loaded.
        NotRunError: what the runtime needs, such as a GPU, is not here.
    """
    if not model.exists():
        raise UsageError(f"{model}: no such file")
    if model.suffix not in FILE_RUNTIMES:
        raise UsageError(f"{model}: no runtime for it; known: {', '.join(FILE_RUNTIMES)}")
    try:
        runner: Runner = _imported(FILE_RUNTIMES[model.suffix])(model, settings)
    except ShapesError as error:
        raise ArtifactError(f"{model}: {error}") from error
    return runner


def static_checks(model: Path) -> tuple[Check, ...]:
    """What can be said of a model file without running it; empty where nothing can."""
    if model.suffix not in STATIC_CHECKS:
        return ()
    return tuple(_imported(STATIC_CHECKS[model.suffix])(model))


def _imported(target: str) -> Any:
    module, name = target.split(":")
    return getattr(importlib.import_module(module), name)
