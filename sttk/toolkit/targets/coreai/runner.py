"""Core AI: Apple's own runtime for ``.aimodel`` packages, on the CPU; in beta.

It computes one element after another on one core: good for verification, not for speed.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sttk.toolkit.core.errors import ArtifactError, RunError, UsageError
from sttk.toolkit.core.shapes import Shapes, Size
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.io.files import MOST_BYTES, read_bounded
from sttk.toolkit.io.json_text import read_json
from sttk.toolkit.io.streams import quiet_stderr
from sttk.toolkit.runtimes.base import Closing, Settings

if TYPE_CHECKING:
    import coreai.authoring as coreai_authoring
    import coreai.runtime as coreai_runtime
else:
    coreai_authoring = Lazy("coreai.authoring", "coreai")
    coreai_runtime = Lazy("coreai.runtime", "coreai")

_ENTRY = "main"
# main.hash holds 32 bytes; a longer file is read as well, to report that the digest differs.
_MOST_DIGEST = 1 << 10
_MOST_METADATA = 1 << 20
_PRECISIONS = {"Float16": "fp16", "Float32": "fp32"}
_NOTE = (
    "run by Apple's Core AI runtime, in beta, on the CPU: this proves the saved graph and weights, "
    "not the arithmetic of Apple's GPU or Neural Engine"
)


class CoreAiRunner(Closing):
    """A runner of packages whose functions each have one float32 (B, 3, H, W) input and one output.

    A package of several sizes has a function for each; ``main`` is the default.

    Raises:
        MissingExtraError: coreai-core is not installed.
        ArtifactError: the package is incomplete, or not a style net.
    """

    name = "coreai"
    notes: tuple[str, ...] = (_NOTE,)

    def __init__(self, model: Path, settings: Settings | None = None) -> None:
        if settings and settings.inference_precision:
            raise UsageError("coreai has no --inference-precision: its graph says it")
        functions = _functions(model)
        shapes = {name: _shape(model, function) for name, function in functions.items()}
        self.takes = _takes(model, shapes)
        self._by_size = {shape[2:]: functions[name] for name, shape in shapes.items()}

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        height, width = batch.shape[2:]
        function = self._by_size.get((height, width)) or next(iter(self._by_size.values()))
        return asyncio.run(_called(function, batch))


async def _called(function: coreai_runtime.InferenceFunction, batch: Floats) -> Floats:
    (name,) = function.desc.input_names
    try:
        outputs = await function({name: coreai_runtime.NDArray(batch)})
    except RuntimeError as error:
        raise RunError(f"Core AI: {' '.join(str(error).split())[:200]}") from error
    (output,) = outputs.values()
    return np.array(output.numpy(), dtype=np.float32)  # a copy: the runtime owns the other


def _functions(model: Path) -> dict[str, coreai_runtime.InferenceFunction]:
    """Return the package's functions, compiled for this machine, ``main`` first."""
    asset, summary = _opened(model)
    names = sorted(summary.function_names, key=lambda name: name != _ENTRY)

    async def loaded() -> dict[str, coreai_runtime.InferenceFunction]:
        async with asset.executable(_cpu_only()) as program:
            return {name: program.load_function(name) for name in names}

    try:
        with quiet_stderr():
            return asyncio.run(loaded())
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ArtifactError(f"{model}: Core AI cannot load it: {reason}") from error


def _cpu_only() -> coreai_runtime.SpecializationOptions | None:
    """Return the options that select the CPU, if there is a choice: only on macOS 27."""
    options = coreai_runtime.SpecializationOptions
    return options.cpu_only() if options.is_supported() else None


def _opened(model: Path) -> tuple[coreai_authoring.AIModelAsset, Any]:
    """Return the package and its summary, after a check of its program's digest.

    A broken program must be found here: the compiler would end the whole process.
    """
    _check_bytes(model)
    load = coreai_authoring.AIModelAsset.load
    try:
        with quiet_stderr():
            asset = load(model)
            summary = asset.summary()
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ArtifactError(f"{model}: Core AI cannot read it: {reason}") from error
    if summary is None or not summary.function_names:
        raise ArtifactError(f"{model}: Core AI finds no function in it")
    return asset, summary


def _check_bytes(model: Path) -> None:
    program, digest = model / "main.mlirb", model / "main.hash"
    try:
        found = hashlib.sha256(read_bounded(program, MOST_BYTES)).digest()
        wanted = read_bounded(digest, _MOST_DIGEST)
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{model}: not a Core AI package: {error}") from error
    if found != wanted:
        raise ArtifactError(f"{model}: its program is not the one that {digest.name} is of")


def _shape(model: Path, function: coreai_runtime.InferenceFunction) -> tuple[int | None, ...]:
    """Return the shape of a function's input, with None for a free axis."""
    about = function.desc
    if len(about.input_names) == len(about.output_names) == 1 and not about.state_names:
        image = about.input_descriptor(about.input_names[0])
        shape = tuple(n if n is not None and n >= 0 else None for n in image.shape)
        if len(shape) == 4 and shape[1] == 3 and image.dtype == "float32":
            return shape
    raise ArtifactError(f"{model}: not a style net with one float (B, 3, H, W) input")


def _takes(model: Path, shapes: dict[str, tuple[int | None, ...]]) -> Shapes:
    sizes = [_size(model, shape) for shape in shapes.values()]
    batches = {shape[0] for shape in shapes.values()}
    fixed = tuple(size for size in sizes if size)
    try:
        if len(batches) == 1 and len(fixed) in (0, len(sizes)):
            return Shapes(fixed, batch=batches.pop())
    except ValueError as error:
        raise ArtifactError(f"{model}: {error}") from error
    raise ArtifactError(f"{model}: its functions take batches or sizes of several kinds")


def _size(model: Path, shape: tuple[int | None, ...]) -> Size | None:
    height, width = shape[2:]
    if (height is None) != (width is None):
        raise ArtifactError(f"{model}: one side of its input is fixed and the other free: {shape}")
    return (height, width) if height is not None and width is not None else None


def describe(model: Path) -> dict[str, Any]:
    """Return a package's functions, operations, precision and versions as plain JSON values.

    Raises:
        ArtifactError: it cannot be read.
    """
    _, summary = _opened(model)
    about = _about(model)
    weights = dict(summary.storage_types)
    most = max(_PRECISIONS, key=lambda kind: weights.get(kind, 0))
    return {
        "format": "Core AI package",
        "asset_version": about.get("assetVersion"),
        "producer": about.get("producer"),
        "minimum_system": summary._compatibility_version,  # noqa: SLF001
        "bytes": sum(file.stat().st_size for file in model.iterdir()),
        "functions": {name: _signature(summary, name) for name in summary.function_names},
        "precision": _PRECISIONS[most],
        "constants": weights,
        "operations": dict(sorted(summary.operation_distribution)),
        "description": about.get("description", ""),
        "metadata": about.get("creatorDefinedMetadata", {}),
    }


def _signature(summary: Any, name: str) -> dict[str, dict[str, str]]:
    """Return the types of inputs and outputs, such as ``NDArray (Float32, 1 x 3 x 64 x 96)``."""
    ports = {"inputs": summary.function_inputs(name), "outputs": summary.function_outputs(name)}
    return {
        side: {key: kind.replace("\N{MULTIPLICATION SIGN}", "x") for key, kind in values}
        for side, values in ports.items()
    }


def _about(model: Path) -> dict[str, Any]:
    try:
        about = read_json(model / "metadata.json", _MOST_METADATA)
    except (OSError, ValueError):
        about = None
    return about if isinstance(about, dict) else {}
