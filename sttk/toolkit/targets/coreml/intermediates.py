"""Core ML intermediates: sttk's interpreter runs a program operation by operation and can return
every value.
"""

from __future__ import annotations

import copy
import json
import shutil
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit.core.errors import RunError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.targets.coreml.interpreter import Interpreter
from sttk.toolkit.targets.coreml.package import Feature, Package, read_package, read_spec
from sttk.toolkit.targets.intermediates import Intermediate, Values

if TYPE_CHECKING:
    import coremltools as ct
else:
    ct = Lazy("coremltools", "coreml")

_NOTE = "run by sttk's interpreter, operation by operation: Apple's own fusions are not in it"
_MODEL = "part.mlpackage"
_AUTHOR = "com.apple.CoreML"
_FUNCTION = "main"
_LEAST_FOR_HALF = 7  # the first version of the spec that allows float16 inputs: iOS 16
_HALF = 10  # DataType in coremltools' MIL.proto

_SCRIPT = """
def run(folder, given):
    if sys.platform == "darwin":  # Core ML itself
        import coremltools

        found = coremltools.models.MLModel(str(folder / "part.mlpackage")).predict(given)
        return next(iter(found.values()))
    from sttk.toolkit.targets.coreml.intermediates import run_part

    return run_part(folder / "part.mlpackage", given)
"""


class InstrumentedCoreML:
    """See :class:`InstrumentedModel`. Raises ArtifactError.

    A tensor's name is that of its value, which is unique in the program.
    """

    script = _SCRIPT
    notes: tuple[str, ...] = (_NOTE,)

    def __init__(self, path: Path) -> None:
        self._package, self.name = read_package(path), path.name
        package = self._package
        self._interpreter = Interpreter(package)
        self.input, self.output = package.input.name, package.output.name
        operations = (op for op in package.operations if not _is_stored(op))
        self.intermediates = tuple(
            Intermediate(op.outputs[0].name, _name(op), op.type) for op in operations
        )

    def run(self, batch: Floats) -> Values:
        """See :class:`InstrumentedModel`."""
        names = [intermediate.tensor for intermediate in self.intermediates]
        found = _evaluate(self._interpreter, {self.input: batch}, names)
        return {name: value for name, value in found.items() if value.ndim == 4}

    def part(self, tensor: str, known: Collection[str]) -> CoreMLPart:
        """See :class:`InstrumentedModel`."""
        known = {*known, self.input} - {tensor}
        return CoreMLPart(self._package, self._interpreter, tensor, known)


class CoreMLPart:
    """See :class:`Subgraph`."""

    def __init__(
        self, package: Package, interpreter: Interpreter, tensor: str, known: Collection[str]
    ) -> None:
        self._package, self._interpreter, self._tensor = package, interpreter, tensor
        needed, self.inputs = _needed(package, tensor, known)
        self._operations = [op for op in package.operations if _made(op) & needed]

    def run(self, given: Values) -> Floats:
        """See :class:`Subgraph`."""
        return _evaluate(self._interpreter, given, [self._tensor])[self._tensor]

    def save(self, folder: Path) -> str:
        """See :class:`Subgraph`. The weights' file is that of the whole model."""
        spec = self._spec()
        data = folder / _MODEL / "Data" / _AUTHOR
        data.mkdir(parents=True)
        (data / "model.mlmodel").write_bytes(spec.SerializeToString(deterministic=True))
        items = {"model.mlmodel": "CoreML Model Specification"}
        if self._package.weights.is_dir():
            shutil.copytree(self._package.weights, data / "weights")
            items["weights"] = "CoreML Model Weights"
        entries = {str(uuid.uuid5(uuid.NAMESPACE_URL, name)): name for name in items}
        manifest = {
            "fileFormatVersion": "1.0.0",
            "itemInfoEntries": {
                key: {
                    "author": _AUTHOR,
                    "description": items[name],
                    "name": name,
                    "path": f"{_AUTHOR}/{name}",
                }
                for key, name in entries.items()
            },
            "rootModelIdentifier": next(iter(entries)),
        }
        text = json.dumps(manifest, indent=4)
        (folder / _MODEL / "Manifest.json").write_text(text, encoding="utf-8")
        return _MODEL

    def _spec(self) -> Any:
        """Return the package's spec, reduced to these operations."""
        types = _types(self._package)
        spec = copy.deepcopy(self._package.spec)
        spec.specificationVersion = max(spec.specificationVersion, _LEAST_FOR_HALF)
        function = spec.mlProgram.functions[_FUNCTION]
        block = function.block_specializations[function.opset]
        del function.inputs[:], block.operations[:], block.outputs[:]
        del spec.description.input[:], spec.description.output[:]
        block.operations.extend(self._operations)
        block.outputs.append(self._tensor)
        for name in self.inputs:
            function.inputs.add(name=name, type=types[name])
            _describe(spec.description.input.add(name=name), types[name])
        _describe(spec.description.output.add(name=self._tensor), types[self._tensor])
        return spec


def run_part(path: Path, given: Values) -> Floats:
    """Run a saved part on its inputs, by name, and return its result in float32.

    Raises:
        ArtifactError: it cannot be read.
        RunError: it cannot be run on such inputs.
    """
    spec, weights = read_spec(path)
    first, result = spec.description.input[0].name, spec.description.output[0].name
    features = (Feature(name, False, Shapes.any()) for name in (first, result))
    interpreter = Interpreter(Package(path, spec, weights, *features))
    return _evaluate(interpreter, given, [result])[result]


def _evaluate(interpreter: Interpreter, given: Values, wanted: list[str]) -> dict[str, Floats]:
    try:
        return interpreter.evaluate(given, wanted)
    except (RuntimeError, KeyError) as error:
        raise RunError(f"coreml: {' '.join(str(error).split())[:200]}") from error


def _needed(
    package: Package, tensor: str, known: Collection[str]
) -> tuple[set[str], tuple[str, ...]]:
    """Return the values to compute for ``tensor``, with constants, and the known ones they need."""
    needed: set[str] = {tensor}
    given: list[str] = []
    for op in reversed(package.operations):
        if not _made(op) & needed:
            continue
        read = {arg.name for value in op.inputs.values() for arg in value.arguments}
        given += sorted((read & set(known)).difference(given))
        needed |= read - set(known)
    return needed, tuple(given)


def _made(operation: Any) -> set[str]:
    return {out.name for out in operation.outputs}


def _types(package: Package) -> dict[str, Any]:
    function = package.spec.mlProgram.functions[_FUNCTION]
    inputs = {item.name: item.type for item in function.inputs}
    return inputs | {out.name: out.type for op in package.operations for out in op.outputs}


def _describe(feature: Any, kind: Any) -> None:
    """Describe a feature as an array of the type ``kind``, with its shape if that is fixed."""
    arrays = ct.proto.FeatureTypes_pb2.ArrayFeatureType
    array, tensor = feature.type.multiArrayType, kind.tensorType
    array.dataType = arrays.FLOAT16 if tensor.dataType == _HALF else arrays.FLOAT32
    sizes = [axis.constant.size for axis in tensor.dimensions]
    if all(sizes):
        array.shape.extend(sizes)


def _is_stored(operation: Any) -> bool:
    kind: str = operation.type
    return kind == "const" or kind.startswith("constexpr_")


def _name(operation: Any) -> str:
    named: str = operation.attributes["name"].immediateValue.tensor.strings.values[0]
    return named
