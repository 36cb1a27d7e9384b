"""The README.md in an artifact's folder: what the model takes and gives, and how to use it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from sttk.exporters.base import Product, Request
from sttk.toolkit.artifact.manifest import README
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.shapes import Shapes, Size, text
from sttk.toolkit.io.text import printable


@dataclass(frozen=True)
class _Tensors:
    """What a target's models take and give.

    Attributes:
        input: its name.
        output: its name.
        shape: of both; {B} is the number of pictures at once.
        batches: whether a model of any size takes any number of pictures at once.
        fp16: what is in float16, of a model that is said to be in it.
    """

    input: str = "image"
    output: str = "stylized"
    shape: str = "({B}, 3, H, W)"
    batches: bool = True
    fp16: str = "float16 weights and arithmetic"


_ON_DISK = "float16 weights in the file; the runtime chooses its arithmetic"
_TENSORS = {
    "openvino": _Tensors(fp16=_ON_DISK),
    "coreml": _Tensors(output="stylizedImage"),  # Turi Create's and Create ML's name
    "ncnn": _Tensors("in0", "out0", "(3, H, W)", batches=False, fp16=_ON_DISK),
    "litert": _Tensors(shape="({B}, H, W, 3)", batches=False, fp16=_ON_DISK),
    "executorch": _Tensors(fp16="float16 arithmetic, with weights rounded to it"),
}
# Where no size is fixed, what examples are written for.
_EXAMPLE: Size = (512, 512)
_PRECISIONS = {
    "fp32": "float32 weights and arithmetic",
    "int8": "8-bit integer weights and activations where the net is quantised",
    "fp8": "8-bit float weights and activations where the net is quantised",
}
_LONGEST = 200
# What is between these is for the forms (image or tensor) and the kinds of shapes that they name.
_BLOCK = re.compile(r"\{\{#([a-z ]+)\}\}(\n?)(.*?)\{\{/\}\}\2", re.DOTALL)
_NAME = re.compile(r"\{\{(\w+)\}\}")
_FORMS = frozenset({"image", "tensor"})


def write_readme(target: str, request: Request[Any], product: Product, folder: Path) -> None:
    """Write ``README.md`` into an artifact's folder; the same request gives the same text."""
    (folder / README).write_text(readme(target, request, product), encoding="utf-8")


def readme(target: str, request: Request[Any], product: Product) -> str:
    """The text: contract, precision, proof, origin, and code for this very model."""
    origin = request.net.origin
    parts = [
        f"# {printable(origin.name)}: {target}, {request.precision}, {request.shapes}",
        f"A style-transfer net (Johnson et al. 2016), in `{product.model}`. Written by sttk.",
        _contract(target, request),
        _proof(),
        _origin(request),
    ]
    snippet = resources.files("sttk.exporters") / "snippets" / f"{target}.md"
    if snippet.is_file():
        filled = fill(snippet.read_text(encoding="utf-8"), _values(target, request, product))
        parts.append(f"## Use\n{filled.strip()}")
    return "\n\n".join(parts) + "\n"


def fill(template: str, values: dict[str, Any]) -> str:
    """The template without the blocks for other kinds of model, and its names filled in.

    Args:
        template: ``{{name}}`` stands for a value; ``{{#kind ...}}`` begins and ``{{/}}`` ends what
            is for models of these kinds alone.
        values: by name; ``kinds`` holds the kinds of this model.
    """
    kinds = values["kinds"]

    def block(found: re.Match[str]) -> str:
        named = set(found[1].split())
        forms, shapes = named & _FORMS, named - _FORMS
        wanted = forms <= kinds and (not shapes or bool(shapes & kinds))
        return found[3] if wanted else ""

    return _NAME.sub(lambda found: str(values[found[1]]), _BLOCK.sub(block, template))


def _contract(target: str, request: Request[Any]) -> str:
    contract, shapes, tensors = request.net.contract, request.shapes, _tensors(target)
    image = _is_image(target, request)
    batch = shapes.batch if tensors.batches else 1
    low, high = (f"{bound:g}" for bound in contract.input_range)
    kind = "image, 8 bits a channel" if image else f"float32, {low} to {high}"
    shape = "" if image else f", shape {tensors.shape.format(B=batch or 'B')}"
    rows = {
        "input": f"`{tensors.input}`: {kind}, {contract.channels}{shape}",
        "output": f"`{tensors.output}`: the same kind, clamped to {low} and {high}",
        "sizes (height x width)": _sizes(shapes, contract),
        "size of the output": _output_sizes(shapes, contract),
        "pictures at once": "any number" if batch is None else str(batch),
        "precision": _precision(target, request),
    }
    return "## What goes in and comes out\n" + _table(rows)


def _tensors(target: str) -> _Tensors:
    return _TENSORS.get(target, _Tensors())


def _sizes(shapes: Shapes, contract: Contract) -> str:
    if shapes.least and shapes.most:
        tuned = text(shapes.sizes[0])
        return f"{text(shapes.least)} to {text(shapes.most)}; tuned for {tuned}"
    if shapes.sizes:
        return " or ".join(map(text, shapes.sizes)) + ", no other"
    return f"any, no side under {contract.smallest_side} pixels"


def _output_sizes(shapes: Shapes, contract: Contract) -> str:
    changed = [size for size in shapes.sizes if contract.output_size(*size) != size]
    if shapes.kind in ("fixed", "enumerated"):
        pairs = [f"{text(size)} gives {text(contract.output_size(*size))}" for size in changed]
        return ", ".join(pairs) or "that of the input"
    multiple = contract.size_multiple
    if multiple == 1:
        return "that of the input"
    return (
        f"that of the input, each side rounded up to a multiple of {multiple}; cut off what is more"
    )


def _precision(target: str, request: Request[Any]) -> str:
    meant = {**_PRECISIONS, "fp16": _tensors(target).fp16}[request.precision]
    compressed = request.options.compress if target == "coreml" else None
    mixed = f", by the plan: {printable(str(request.plan))}" if request.blocks else ""
    return f"{request.precision}: {meant}{f'; weights {compressed}' if compressed else ''}{mixed}"


def _proof() -> str:
    return """## Proof
An export proves nothing yet. What has been proven since stands in `manifest.json` under `parity`,
which is null until then. In this folder:

    sttk parity .    # runs model and PyTorch reference on photographs, writes down what it found
    sttk verify .    # files, checkpoint and proof still belong together"""


def _origin(request: Request[Any]) -> str:
    origin = request.net.origin
    rows = {
        "checkpoint": printable(origin.name),
        "layout": origin.layout,
        "sha256": f"`{origin.sha256}`",
        **{_cell(key): _cell(value) for key, value in sorted(origin.card.items()) if _plain(value)},
    }
    said = "The checkpoint says nothing of its licence: ask who made it before you ship it."
    if origin.card.get("licence"):
        said = (
            "What follows the hash are the checkpoint's own words; the licence is the painting's."
        )
    return f"## Where it is from\n{_table(rows)}\n\n{said}"


def _table(rows: dict[str, str]) -> str:
    return "\n".join(
        ["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items())]
    )


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and value != ""


def _cell(value: Any) -> str:
    """A checkpoint's own words, which may be anybody's: one line, no markup of a table or page."""
    words = printable(" ".join(str(value).split()))[:_LONGEST]
    return re.sub(r"([\\|`<>\[\]])", r"\\\1", words)


def _is_image(target: str, request: Request[Any]) -> bool:
    return target == "coreml" and not request.options.tensor_io


def _values(target: str, request: Request[Any], product: Product) -> dict[str, Any]:
    shapes, contract, tensors = request.shapes, request.net.contract, _tensors(target)
    height, width = shapes.default or _EXAMPLE
    out_height, out_width = contract.output_size(height, width)
    least, most = shapes.least or (height, width), shapes.most or (height, width)
    library = "tensorrt" if "tensorrt" in product.tools else "tensorrt_rtx"
    functions = product.options.get("functions", {})
    return {
        "kinds": {shapes.kind, "image" if _is_image(target, request) else "tensor"},
        "model": product.model,
        "stem": Path(product.model).stem,
        "input": tensors.input,
        "output": tensors.output,
        "height": height,
        "width": width,
        "out_height": out_height,
        "out_width": out_width,
        "least_height": least[0],
        "least_width": least[1],
        "most_height": most[0],
        "most_width": most[1],
        "widths_by_heights": ", ".join(f"{wide} x {high}" for high, wide in shapes.sizes),
        "multiple": contract.size_multiple,
        "smallest": contract.smallest_side,
        "functions": ", ".join(f'"{name}" {size}' for name, size in functions.items()),
        "library": library,
        "link": "nvinfer" if library == "tensorrt" else "tensorrt_rtx",
    }
