"""The README.md in an artifact's folder: the model's input and output, and how to use it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from sttk.exporters.base import ExportRequest, Product
from sttk.toolkit.artifact.manifest import README
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.shapes import Shapes, Size, text
from sttk.toolkit.io.text import printable
from sttk.toolkit.targets import target as target_of

# The size in examples if none is fixed.
_EXAMPLE: Size = (512, 512)
_PRECISIONS = {
    "fp32": "float32 weights and arithmetic",
    "int8": "8-bit integer weights and activations where the net is quantised",
    "fp8": "8-bit float weights and activations where the net is quantised",
}
_LONGEST = 200
_TEMPLATE, _USAGE = "readme.md.j2", "{target}/usage.md"


@cache
def _environment() -> Environment:
    """Return the environment of the templates below this folder; an undefined name is an error."""
    return Environment(  # noqa: S701 (Markdown: _cell escapes what is not ours)
        loader=PackageLoader("sttk.exporters", ""), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip


def write_readme(target: str, request: ExportRequest[Any], product: Product, folder: Path) -> None:
    """Write ``README.md`` into an artifact's folder; the same request gives the same text."""
    (folder / README).write_text(readme(target, request, product), encoding="utf-8")


def readme(target: str, request: ExportRequest[Any], product: Product) -> str:
    """Return the text: contract, precision, proof, origin, and code for this very model."""
    usage = _USAGE.format(target=target)
    return (
        _environment()
        .get_template(_TEMPLATE)
        .render(
            _model(target, request, product),
            **_sizes(request.shapes, request.net.contract),
            **_origin(request),
            usage=usage if usage in _environment().list_templates() else None,
        )
    )


def _model(target: str, request: ExportRequest[Any], product: Product) -> dict[str, Any]:
    """Return the model's file, precision, input and output, for the template."""
    shapes, contract, tensors = request.shapes, request.net.contract, target_of(target).tensors
    batch = shapes.batch if tensors.batches else 1
    low, high = (f"{bound:g}" for bound in contract.input_range)
    return {
        "target": target,
        "precision": request.precision,
        "meaning": {**_PRECISIONS, "fp16": tensors.fp16}[request.precision],
        "compressed": product.compressed,
        "plan": printable(str(request.plan)) if request.plan.blocks else None,
        "model": product.model,
        "stem": Path(product.model).stem,
        "image": product.image,
        "input": tensors.input,
        "output": tensors.output,
        "channels": contract.channels,
        "low": low,
        "high": high,
        "batch": batch,
        "shape": tensors.shape.format(B=batch or "B"),
        **product.usage,
    }


def _sizes(shapes: Shapes, contract: Contract) -> dict[str, Any]:
    height, width = shapes.default or _EXAMPLE
    out_height, out_width = contract.output_size(height, width)
    least, most = shapes.least or (height, width), shapes.most or (height, width)
    outputs = {size: contract.output_size(*size) for size in shapes.sizes}
    return {
        "shapes": shapes,
        "kind": shapes.kind,
        "sizes": [text(size) for size in shapes.sizes],
        "changed": [f"{text(a)} gives {text(b)}" for a, b in outputs.items() if a != b],
        "multiple": contract.size_multiple,
        "smallest": contract.smallest_side,
        "height": height,
        "width": width,
        "out_height": out_height,
        "out_width": out_width,
        "least": text(least),
        "least_height": least[0],
        "least_width": least[1],
        "most": text(most),
        "most_height": most[0],
        "most_width": most[1],
        "widths_by_heights": ", ".join(f"{wide} x {high}" for high, wide in shapes.sizes),
    }


def _origin(request: ExportRequest[Any]) -> dict[str, Any]:
    origin = request.net.origin
    said = {key: value for key, value in sorted(origin.card.items()) if _plain(value)}
    return {
        "name": printable(origin.name),
        "layout": origin.layout,
        "sha256": origin.sha256,
        "card": {_cell(key): _cell(value) for key, value in said.items()},
        "guesses": [_cell(guess) for guess in origin.guesses],
        "licensed": bool(origin.card.get("licence")),
    }


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and value != ""


def _cell(value: Any) -> str:
    """Return text from an untrusted checkpoint as one line without Markdown or HTML markup."""
    words = printable(" ".join(str(value).split()))[:_LONGEST]
    return re.sub(r"([\\|`<>\[\]])", r"\\\1", words)
