"""A Core ML package, ``.mlpackage``, read from disk: its layout, its spec, its program.

A package is a folder: ``Manifest.json`` names the items below ``Data/``. One item is the spec, a
protobuf message, and another the folder of weights that the spec refers to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.core.shapes import Shapes, Size
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.io.files import read_bounded
from sttk.toolkit.io.json_text import read_json
from sttk.toolkit.io.streams import quiet_library

if TYPE_CHECKING:
    import coremltools as ct
    from coremltools.converters.mil.frontend.milproto import load as milproto
else:
    ct = Lazy("coremltools", "coreml")
    milproto = Lazy("coremltools.converters.mil.frontend.milproto.load", "coreml")

# The oldest system for each version of the spec.
SYSTEMS = {6: "iOS15", 7: "iOS16", 8: "iOS17", 9: "iOS18", 10: "iOS26"}
_FUNCTION = "main"
_AUTHOR, _WEIGHTS = "com.apple.CoreML", "weights"
_NO_BOUND = -1
_MOST_MANIFEST, _MOST_SPEC = 1 << 20, 1 << 28


@dataclass(frozen=True)
class Feature:
    """The input or the output as the spec describes it.

    Attributes:
        name: the feature's name.
        image: whether it is an 8-bit RGB image rather than an array.
        shapes: the sizes that the spec states.
    """

    name: str
    image: bool
    shapes: Shapes


@dataclass(frozen=True)
class Package:
    """A style net's package; its weights are not read yet.

    Attributes:
        path: the package's folder.
        spec: the protobuf message ``Model``.
        weights: the folder of its weights.
        input: its one input.
        output: its one output; any size, if the spec leaves it open.
    """

    path: Path
    spec: Any
    weights: Path
    input: Feature
    output: Feature

    @property
    def operations(self) -> list[Any]:
        """The protobuf messages ``Operation`` of the program, in order, constants included."""
        function = self.spec.mlProgram.functions[_FUNCTION]
        return list(function.block_specializations[function.opset].operations)


def read_package(path: Path) -> Package:
    """Read the spec and check that it is a style net's.

    Raises:
        ArtifactError: it is not a package, not an ML program, or not one picture in and one out.
        MissingExtraError: coremltools is not installed.
    """
    spec, weights = read_spec(path)
    if spec.WhichOneof("Type") != "mlProgram" or set(spec.mlProgram.functions) != {_FUNCTION}:
        raise ArtifactError(f"{path}: not an ML program with one function")
    described = spec.description
    if not len(described.input) == len(described.output) == 1 or described.state:
        raise ArtifactError(f"{path}: not a style net with one input and one output")
    try:
        features = _feature(described.input[0]), _feature(described.output[0])
    except ValueError as error:
        raise ArtifactError(f"{path}: not a style net: {error}") from error
    package = Package(path, spec, weights, *features)
    _check_names(package)
    return package


def read_spec(path: Path) -> tuple[Any, Path]:
    """Return the protobuf message ``Model`` of any package, and its folder of weights.

    Raises:
        ArtifactError: it is not a package.
    """
    spec_file, weights = _layout(path)
    return _spec(path, spec_file), weights


def load_function(package: Package) -> Any:
    """Return the program with its weights, as coremltools' typed ``Function``.

    Raises:
        ArtifactError: the program is not valid, or its weights are missing or truncated.
    """
    version = package.spec.specificationVersion
    for file in package.weights.rglob("*"):
        if not file.is_file() and not file.is_dir():  # a pipe, from which reading may never return
            raise ArtifactError(f"{file}: no regular file", fix="export it again")
    try:
        with quiet_library():
            program = milproto.load(package.spec, version, str(package.weights))
    # The loader, and the reader of weights below it, can raise anything.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ArtifactError(
            f"{package.path}: its program cannot be loaded: {reason}", fix="export it again"
        ) from error
    return program.functions[_FUNCTION]


def _layout(path: Path) -> tuple[Path, Path]:
    """Return the paths of the spec and of the folder of weights, which need not exist."""
    try:
        data = (path / "Data").resolve()
        manifest = read_json(path / "Manifest.json", _MOST_MANIFEST)
        items = manifest["itemInfoEntries"]
        root = data / items[manifest["rootModelIdentifier"]]["path"]
        weights = [
            data / item["path"]
            for item in items.values()
            if (item["author"], item["name"]) == (_AUTHOR, _WEIGHTS)
        ]
        found = root, (weights or [root.parent / _WEIGHTS])[0]
        inside = [item.resolve().is_relative_to(data) for item in found]
        inside.append(data.is_relative_to(path.resolve()))
    # RuntimeError: a loop of symbolic links, before Python 3.13.
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ArtifactError(
            f"{path}: no Core ML package: Manifest.json is missing or broken", fix="export it again"
        ) from error
    if not all(inside):
        raise ArtifactError(f"{path}: its Manifest.json names a file outside it")
    return found


def _spec(path: Path, file: Path) -> Any:
    with quiet_library():
        spec = ct.proto.Model_pb2.Model()
    try:
        spec.ParseFromString(read_bounded(file, _MOST_SPEC))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{file}: missing or unreadable", fix="export it again") from error
    # protobuf's DecodeError; its module depends on protobuf's own build.
    except Exception as error:
        raise ArtifactError(f"{path}: its spec cannot be parsed", fix="export it again") from error
    return spec


def _check_names(package: Package) -> None:
    """Check that the program has the input and the output that the spec describes."""
    function = package.spec.mlProgram.functions[_FUNCTION]
    inputs = {item.name for item in function.inputs}
    made = {out.name for op in package.operations for out in op.outputs}
    if package.input.name not in inputs or package.output.name not in made:
        raise ArtifactError(f"{package.path}: its program is not the one that its spec describes")


def _feature(feature: Any) -> Feature:
    """Return the input or output as described. Raises ValueError if it is not an RGB picture."""
    kind = feature.type.WhichOneof("Type")
    if kind == "imageType":
        image = feature.type.imageType
        if image.colorSpace != image.RGB:
            raise ValueError(f"{feature.name} is not RGB")
        return Feature(feature.name, True, _image_shapes(image))
    if kind == "multiArrayType":
        return Feature(feature.name, False, _array_shapes(feature.type.multiArrayType))
    raise ValueError(f"{feature.name} is neither an image nor an array")


def _image_shapes(image: Any) -> Shapes:
    default = image.height, image.width
    match image.WhichOneof("SizeFlexibility"):
        case "enumeratedSizes":
            return _one_of(default, [(s.height, s.width) for s in image.enumeratedSizes.sizes])
        case "imageSizeRange":
            ranges = image.imageSizeRange
            return _within(default, ranges.heightRange, ranges.widthRange)
    return Shapes.fixed(*default)


def _array_shapes(array: Any) -> Shapes:
    if not array.shape:
        return Shapes(batch=1)  # coremltools leaves the shape of a flexible output open
    default = _size(array.shape)
    match array.WhichOneof("ShapeFlexibility"):
        case "enumeratedShapes":
            return _one_of(default, [_size(s.shape) for s in array.enumeratedShapes.shapes])
        case "shapeRange":
            return _within(default, *array.shapeRange.sizeRanges[2:])
    return Shapes.fixed(*default)


def _size(shape: Any) -> Size:
    if len(shape) != 4 or tuple(shape[:2]) != (1, 3):
        raise ValueError(f"an array of {tuple(shape)} where (1, 3, H, W) should be")
    return shape[2], shape[3]


def _one_of(default: Size, sizes: list[Size]) -> Shapes:
    return Shapes.one_of(tuple(dict.fromkeys((default, *sizes))))


def _within(default: Size, *ranges: Any) -> Shapes:
    height, width = ranges
    if _NO_BOUND in (height.upperBound, width.upperBound):
        return Shapes(batch=1)
    least = height.lowerBound, width.lowerBound
    return Shapes.within(least, default, (height.upperBound, width.upperBound))
