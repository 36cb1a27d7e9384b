"""The metadata of a package, which Xcode and the API of Core ML show."""

from __future__ import annotations

from typing import Any

from sttk.exporters.base import ExportRequest
from sttk.exporters.coreml.options import CoreMLOptions
from sttk.toolkit.core.shapes import Shapes, text
from sttk.toolkit.core.version import VERSION

_DATE = "com.github.apple.coremltools.conversion_date"


def describe(spec: Any, request: ExportRequest[CoreMLOptions]) -> None:
    """Write author, licence, descriptions, version, and the checkpoint's hash, without a date."""
    origin, about = request.net.origin, spec.description.metadata
    about.author = _said(origin.card, "author") or "exported by sttk"
    about.license = _said(origin.card, "licence", "license")
    about.shortDescription = f"Repaints a photograph in the style {origin.name}."
    about.versionString = VERSION
    about.userDefined.pop(_DATE, None)  # same input, same bytes
    about.userDefined["sttk.style"] = origin.name
    about.userDefined["sttk.checkpoint.sha256"] = origin.sha256
    kind = "float32 array (1, 3, H, W)" if request.options.tensor_io else "8-bit image"
    spec.description.input[
        0
    ].shortDescription = (
        f"Photograph: {kind}, RGB, 0 to 255, {_sizes(request.shapes)} (height x width)."
    )
    spec.description.output[
        0
    ].shortDescription = f"The picture repainted: {kind}, RGB, 0 to 255, {_output_sizes(request)}."


def _said(card: dict[str, Any], *keys: str) -> str:
    return next((str(card[key]) for key in keys if card.get(key)), "")


def _sizes(shapes: Shapes) -> str:
    if shapes.least and shapes.most:
        return f"{text(shapes.least)} to {text(shapes.most)}"
    return " or ".join(map(text, shapes.sizes))


def _output_sizes(request: ExportRequest[CoreMLOptions]) -> str:
    contract = request.net.contract
    if request.shapes.only:
        return text(contract.output_size(*request.shapes.only))
    multiple = contract.size_multiple
    return f"of the same size, each side rounded up to a multiple of {multiple}"
