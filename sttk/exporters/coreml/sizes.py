"""The sizes that a package takes, as torch, coremltools and the spec express them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from sttk.exporters.base import ExportRequest
from sttk.exporters.coreml.options import CoreMLOptions
from sttk.toolkit.core.shapes import Shapes, Size
from sttk.toolkit.host.optional import Lazy

if TYPE_CHECKING:
    import coremltools as ct
else:
    ct = Lazy("coremltools", "coreml")

_AXES = ("height", "width")


def torch_shape(request: ExportRequest[CoreMLOptions]) -> tuple[Size, dict[int, Any]]:
    """Return the size to trace at, and the free axes with their bounds.

    If all sizes are multiples of the net's size multiple, the trace states that: some nets pad by
    an amount that depends on the remainder, which Core ML cannot.
    """
    shapes = request.shapes
    sizes = shapes.promised
    multiple = request.net.contract.size_multiple
    if shapes.kind == "range" or any(side % multiple for size in sizes for side in size):
        multiple = 1
    bounds = [(min(sides), max(sides)) for sides in zip(*sizes, strict=True)]
    dynamic: dict[int, Any] = {}
    for axis, (name, (least, most)) in enumerate(zip(_AXES, bounds, strict=True), start=2):
        if least < most:
            steps = torch.export.Dim(name, min=least // multiple, max=most // multiple)
            dynamic[axis] = steps * multiple if multiple > 1 else steps
    # Not square if possible: the trace might confuse height and width.
    corners = [(height, width) for height in bounds[0] for width in bounds[1]]
    return next((corner for corner in corners if corner[0] != corner[1]), corners[0]), dynamic


def core_ml_shape(shapes: Shapes) -> Any:
    """Return (1, 3, H, W), one with ranges in it, or a list of them with the default first."""
    if shapes.only:
        return (1, 3, *shapes.only)
    if shapes.least and shapes.most:
        bounds = zip(shapes.least, shapes.most, shapes.sizes[0], strict=True)
        return (1, 3, *(ct.RangeDim(*each) if each[0] < each[1] else each[0] for each in bounds))
    listed = [(1, 3, *size) for size in shapes.sizes]
    return ct.EnumeratedShapes(listed, default=listed[0])


def mend_output(spec: Any, request: ExportRequest[CoreMLOptions]) -> None:
    """Set the sizes that a flexible image output can have: coremltools writes 1 x 1, or any."""
    shapes = request.shapes
    if shapes.only or request.options.tensor_io:
        return
    image = spec.description.output[0].type.imageType
    image.ClearField("SizeFlexibility")
    size_of = request.net.contract.output_size
    image.height, image.width = size_of(*shapes.sizes[0])
    if shapes.least and shapes.most:
        (least, width_least), (most, width_most) = size_of(*shapes.least), size_of(*shapes.most)
        ranges = image.imageSizeRange
        ranges.heightRange.lowerBound, ranges.heightRange.upperBound = least, most
        ranges.widthRange.lowerBound, ranges.widthRange.upperBound = width_least, width_most
        return
    for height, width in dict.fromkeys(size_of(*size) for size in shapes.sizes):
        image.enumeratedSizes.sizes.add(height=height, width=width)
