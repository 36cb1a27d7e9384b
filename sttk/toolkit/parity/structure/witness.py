"""The checks of a report that say what the model's graph holds."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from sttk.toolkit.artifact.manifest import Manifest
from sttk.toolkit.core.errors import SttkError
from sttk.toolkit.core.plan import DEFAULT, Plan
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.opened.artifact import OpenArtifact
from sttk.toolkit.parity.structure.canonical import canonical
from sttk.toolkit.parity.structure.compare import Findings, compare
from sttk.toolkit.parity.structure.reference import operations_of
from sttk.toolkit.quantize.calibrate import Calibration
from sttk.toolkit.quantize.fake import fake_quantized
from sttk.toolkit.rewrites import scale_fold
from sttk.toolkit.rewrites.rules import rewritten
from sttk.toolkit.runtimes.base import Check
from sttk.toolkit.targets import structure_of
from sttk.toolkit.targets.structure import (
    COMPUTED,
    CONVOLUTION,
    MOST_OPERATIONS,
    NORM,
    TRANSPOSED,
    Forms,
    NotReadError,
    Operation,
    Structure,
)

NAME = "structure"
_SIZE = (128, 192)
_FLOAT32 = Plan("fp32")
_MOST_NAMED = 3
_NEEDED = (CONVOLUTION, TRANSPOSED, NORM)


def of_artifact(opened: OpenArtifact, net: StyleNet, *, own: bool = True) -> tuple[Check, ...]:
    """Hold the graph of an artifact against the net that it was exported from.

    Args:
        opened: the artifact. Where its model is compiled, the graph that it keeps is read.
        net: the float net.
        own: whether it is the net that the manifest names, which leaves no doubt about partners.
    """
    manifest = opened.manifest
    try:
        found = _model_or_graph(opened)
        if manifest.target.precision == "fp8" or manifest.target.options.get("compress"):
            raise NotReadError("weights that are coarser than int8's, or compressed")
        exported = _exported(net, manifest, found.forms)
        plan = Plan.from_dict(manifest.plan or {DEFAULT: manifest.target.precision})
        size = exported.contract.size_for(*(manifest.target.shapes.only or _SIZE))
        return (_check(found, operations_of(exported, size, plan), strict=own),)
    except (NotReadError, SttkError) as error:
        return (_not_read(str(error)),)


def of_model(model: Path, net: StyleNet) -> tuple[Check, ...]:
    """Hold the graph of a model from any exporter against a net; what is not matched is said."""
    try:
        found = _read(model)
        size = net.contract.size_for(*_SIZE)
        return (_check(found, operations_of(net, size, _FLOAT32), strict=False),)
    except (NotReadError, SttkError) as error:
        return (_not_read(str(error)),)


def _model_or_graph(opened: OpenArtifact) -> Structure:
    try:
        return _read(opened.model)
    except NotReadError:
        if not opened.manifest.graph:
            raise
        return _read(opened.folder / opened.manifest.graph)


def _read(model: Path) -> Structure:
    found = structure_of(model)
    if len(found.operations) > MOST_OPERATIONS:
        raise NotReadError(f"{len(found.operations)} operations are more than {MOST_OPERATIONS}")
    return found


def _not_read(reason: str) -> Check:
    return Check(NAME, True, f"not read: {' '.join(reason.split())[:200]}")


def _exported(net: StyleNet, manifest: Manifest, forms: Forms) -> StyleNet:
    """Return the net in the form in which it was exported: rewritten, then quantised.

    Raises:
        NotReadError: the quantisers are another net's.
    """
    if manifest.quantization and scale_fold.NAME in manifest.rewrites:
        # Scales of int8 weights depend on it; a float net is compared without the scale.
        net = _folded(net)
    net, _ = rewritten(net, manifest.rewrites, manifest.target.precision)
    if not manifest.quantization:
        return net
    try:
        calibration = Calibration.from_dict(manifest.quantization)
        return fake_quantized(net, calibration, forms.symmetric, forms.least_scale)
    except (KeyError, TypeError, ValueError) as error:
        raise NotReadError(f"the manifest's quantization is not this net's: {error}") from error


@lru_cache(maxsize=2)
def _folded(net: StyleNet) -> StyleNet:
    return scale_fold.scale_fold(net)[0]


def _check(found: Structure, own: list[Operation], strict: bool) -> Check:
    reference = canonical(own, found.forms)
    findings = compare(reference, canonical(found.operations, Forms()), strict=strict)
    lost = [each for each in findings.missing if each.kind in _NEEDED]
    passed = not findings.wrong and not (strict and lost and not found.unread)
    return Check(NAME, passed, _detail(findings, found))


def _detail(findings: Findings, found: Structure) -> str:
    if findings.wrong:
        more = len(findings.wrong) - 1
        return findings.wrong[0] + (f"; and {more} more" if more else "")
    counts = ", ".join(
        f"{name} {findings.equal[name]} of {total}" for name, total in findings.total.items()
    )
    parts = [f"{counts} equal the net's by value"]
    if findings.coarse:
        parts.append(f"as near as the model's type comes: {findings.coarse[0]}")
    if findings.computed:
        parts.append(f"{COMPUTED}, not compared: {', '.join(findings.computed)}")
    if findings.missing:
        parts.append(f"not matched: {_named(findings.missing)}")
    if findings.added:
        parts.append(f"the net has no {_named(findings.added)}")
    if found.unread:
        parts.append(f"not read: {', '.join(found.unread[:_MOST_NAMED])}")
    return "; ".join(parts)


def _named(operations: list[Operation]) -> str:
    names = [f"{each.kind} {each.name}" for each in operations[:_MOST_NAMED]]
    more = len(operations) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
