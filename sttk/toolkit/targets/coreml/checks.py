"""Checks of a package that need not run it."""

from __future__ import annotations

from pathlib import Path

from sttk.toolkit.artifact.manifest import Manifest
from sttk.toolkit.core.plan import DEFAULT, Plan
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.runtimes.base import Check
from sttk.toolkit.targets.coreml.describe import precision
from sttk.toolkit.targets.coreml.package import Package, read_package

CHECKPOINT = "sttk.checkpoint.sha256"


def check(model: Path, manifest: Manifest | None) -> tuple[Check, ...]:
    """Check the described output size against the program, and an artifact against its manifest.

    Raises:
        ArtifactError: it cannot be read.
    """
    package = read_package(model)
    checks = [_output(package)]
    if manifest:
        checks += [_checkpoint(package, manifest), _precision(package, manifest)]
    return tuple(checks)


def _output(package: Package) -> Check:
    """Check the described output size: a flexible program has none, a fixed one its own."""
    said, computed = package.output.shapes, _computed(package)
    passed = said.only is None if computed is None else said in (computed, Shapes(batch=1))
    found = "any size" if computed is None else str(computed)
    return Check("output size", passed, f"described as {said}, computed is {found}")


def _computed(package: Package) -> Shapes | None:
    """Return the program's own output size, or None if it depends on the input."""
    name = package.output.name
    types = {out.name: out.type for op in package.operations for out in op.outputs}
    sizes = [axis.constant.size for axis in types[name].tensorType.dimensions]
    return Shapes.fixed(*sizes[2:]) if all(sizes) else None


def _checkpoint(package: Package, manifest: Manifest) -> Check:
    said = dict(package.spec.description.metadata.userDefined).get(CHECKPOINT, "")
    wanted = manifest.checkpoint.sha256
    detail = "the manifest's" if said == wanted else f"{said[:12] or 'none'}, not {wanted[:12]}"
    return Check("checkpoint named in the package", said == wanted, detail)


def _precision(package: Package, manifest: Manifest) -> Check:
    default = {DEFAULT: manifest.target.precision}
    found, plan = precision(package), Plan.from_dict(manifest.plan or default)
    wanted = "mixed" if plan.default == "fp16" and plan.blocks else plan.default
    return Check("precision of the program", found == wanted, f"{found}, {plan} was exported")
