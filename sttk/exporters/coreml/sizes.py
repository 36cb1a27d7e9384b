"""The sizes that a package takes, as torch, coremltools and the spec say them."""

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
    """Size to trace at, and the free axes with their bounds.

    Where all sizes are multiples of what the net's are, the trace says so: some nets pad by an
    amount that depends on the remainder, which Core ML cannot.
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
    # Not square where it can be helped: the trace would take height for width.
    corners = [(height, width) for height in bounds[0] for width in bounds[1]]
    return next((corner for corner in corners if corner[0] != corner[1]), corners[0]), dynamic


def core_ml_shape(shapes: Shapes) -> Any:
    """(1, 3, H, W), a list of them of which the first is the default, or with ranges in it."""
    if shapes.only:
        return (1, 3, *shapes.only)
    if shapes.least and shapes.most:
        bounds = zip(shapes.least, shapes.most, shapes.sizes[0], strict=True)
        return (1, 3, *(ct.RangeDim(*each) if each[0] < each[1] else each[0] for each in bounds))
    listed = [(1, 3, *size) for size in shapes.sizes]
    return ct.EnumeratedShapes(listed, default=listed[0])


def mend_output(spec: Any, request: ExportRequest[CoreMLOptions]) -> None:
    """Say which sizes a flexible image output can have: coremltools writes 1 x 1, or any."""
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
