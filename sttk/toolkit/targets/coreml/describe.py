"""The facts about a package that can be found without running it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sttk.toolkit.io.files import size_of
from sttk.toolkit.targets.coreml.lint import hints
from sttk.toolkit.targets.coreml.package import (
    SYSTEMS,
    Feature,
    Package,
    load_function,
    read_package,
)

_COMPRESSION = {
    "constexpr_affine_dequantize": "linear",
    "constexpr_blockwise_shift_scale": "linear",
    "constexpr_lut_to_dense": "palette",
    "constexpr_sparse_to_dense": "sparse",
}
_HALF, _FULL = 10, 11  # DataType in coremltools' MIL.proto


def describe(path: Path) -> dict[str, Any]:
    """Return a package's sizes, precision, operations, compression and hints as plain JSON values.

    Raises:
        ArtifactError: it cannot be read.
    """
    package = read_package(path)
    about = package.spec.description.metadata
    version = package.spec.specificationVersion
    return {
        "system": SYSTEMS.get(version, "unknown"),
        "spec_version": version,
        "input": _feature(package.input),
        "output": _feature(package.output),
        "precision": precision(package),
        "operations": operations(package),
        "compression": compression(package),
        "weights_bytes": size_of(package.weights),
        "author": about.author,
        "licence": about.license,
        "description": about.shortDescription,
        "version": about.versionString,
        "metadata": dict(about.userDefined),
        "heuristic_hints": [asdict(hint) for hint in hints(package, load_function(package))],
    }


def precision(package: Package) -> str:
    """Return the precision of the arithmetic: ``int8``, ``fp16``, ``fp32``, or ``mixed``."""
    if "quantize" in operations(package):
        return "int8"
    found = {
        op.outputs[0].type.tensorType.dataType
        for op in package.operations
        if op.type not in ("const", "cast") and not op.type.startswith("constexpr_")
    }
    if found == {_HALF}:
        return "fp16"
    return "fp32" if found == {_FULL} else "mixed"


def operations(package: Package) -> dict[str, int]:
    """Count the operations by kind, without constants."""
    kinds = (op.type for op in package.operations)
    return dict(Counter(k for k in kinds if k != "const" and not k.startswith("constexpr_")))


def compression(package: Package) -> dict[str, int]:
    """Count the compressed weights by the kind of compression."""
    kinds = (op.type for op in package.operations if op.type.startswith("constexpr_"))
    return dict(Counter(_COMPRESSION.get(kind, kind) for kind in kinds))


def _feature(feature: Feature) -> dict[str, Any]:
    kind = "8-bit RGB image" if feature.image else "float32 array (1, 3, H, W)"
    return {"name": feature.name, "kind": kind, "sizes": str(feature.shapes)}
