"""Shape inference for modules, without running them.

torch's meta tensors could do it, but take seconds to load and milliseconds per module.
"""

from __future__ import annotations

import math
from functools import singledispatch

import numpy as np
from torch import nn

from sttk.toolkit.checkpoints.onnx_graph.modules import (
    Binary,
    ChannelOrder,
    Concat,
    Crop,
    Reduce,
    Reshape,
    Slice,
    Transpose,
)

Shape = tuple[int, ...]


def shape_of(module: nn.Module, *shapes: Shape) -> Shape:
    """Return the shape of the module's output for inputs of these shapes.

    Raises:
        ValueError: the module does not take these shapes.
    """
    if not shapes:
        raise ValueError("it has no input")
    shape = _shape(module, *shapes)
    if any(size < 1 for size in shape):
        raise ValueError(f"nothing is left of {list(shapes[0])}")
    return shape


@singledispatch
def _shape(module: nn.Module, shape: Shape) -> Shape:  # noqa: ARG001
    """Return the shape unchanged, for activations and other elementwise modules."""
    return shape


def _channels(shape: Shape, channels: int | None) -> None:
    if len(shape) != 4 or channels not in (None, shape[1]):
        raise ValueError(f"{list(shape)} is not (N, {channels or 'C'}, H, W)")


@_shape.register
def _(module: nn.InstanceNorm2d, shape: Shape) -> Shape:
    _channels(shape, module.num_features)
    if shape[2] * shape[3] < 2:
        raise ValueError("the norm of one pixel")
    return shape


@_shape.register
def _(module: nn.BatchNorm2d, shape: Shape) -> Shape:
    _channels(shape, module.num_features)
    return shape


@_shape.register
def _(module: nn.GroupNorm, shape: Shape) -> Shape:
    _channels(shape, module.num_channels)
    return shape


@_shape.register
def _(module: nn.PReLU, shape: Shape) -> Shape:
    if module.num_parameters != 1:
        _channels(shape, module.num_parameters)
    return shape


@_shape.register
def _(module: nn.Conv2d, shape: Shape) -> Shape:
    _channels(shape, module.in_channels)
    sides = []
    for axis in (0, 1):
        reach = module.dilation[axis] * (module.kernel_size[axis] - 1) + 1
        room = shape[2 + axis] + 2 * int(module.padding[axis]) - reach
        if room < 0:
            raise ValueError(f"a kernel of {reach} pixels on {shape[2 + axis]}")
        sides.append(room // module.stride[axis] + 1)
    return (shape[0], module.out_channels, *sides)


@_shape.register
def _(module: nn.ConvTranspose2d, shape: Shape) -> Shape:
    _channels(shape, module.in_channels)
    sides = [
        module.stride[axis] * (shape[2 + axis] - 1)
        - 2 * int(module.padding[axis])
        + module.dilation[axis] * (module.kernel_size[axis] - 1)
        + module.output_padding[axis]
        + 1
        for axis in (0, 1)
    ]
    return (shape[0], module.out_channels, *sides)


@_shape.register(nn.ConstantPad2d)
@_shape.register(nn.ReplicationPad2d)
def _pad(
    module: nn.ConstantPad2d | nn.ReplicationPad2d | nn.ReflectionPad2d, shape: Shape
) -> Shape:
    _channels(shape, None)
    left, right, top, bottom = module.padding
    return (*shape[:2], shape[2] + top + bottom, shape[3] + left + right)


@_shape.register
def _(module: nn.ReflectionPad2d, shape: Shape) -> Shape:
    padded = _pad(module, shape)
    left, right, top, bottom = module.padding
    if max(left, right) >= shape[3] or max(top, bottom) >= shape[2]:
        raise ValueError(f"{max(module.padding)} pixels cannot be reflected in {shape[2:]}")
    return padded


@_shape.register
def _(module: Crop, shape: Shape) -> Shape:
    _channels(shape, None)
    left, right, top, bottom = module.border
    return (*shape[:2], shape[2] - top - bottom, shape[3] - left - right)


@_shape.register
def _(module: nn.Upsample, shape: Shape) -> Shape:
    _channels(shape, None)
    scale = module.scale_factor
    scales = scale if isinstance(scale, tuple) else (scale, scale)
    sides = (math.floor(n * float(s or 1)) for n, s in zip(shape[2:], scales, strict=True))
    return (*shape[:2], *sides)


@_shape.register
def _(module: nn.PixelShuffle, shape: Shape) -> Shape:
    _channels(shape, None)
    block = module.upscale_factor
    if shape[1] % block**2:
        raise ValueError(f"{shape[1]} channels are not a multiple of {block**2}")
    return (shape[0], shape[1] // block**2, shape[2] * block, shape[3] * block)


@_shape.register
def _(module: ChannelOrder, shape: Shape) -> Shape:
    return (shape[0], module.order.numel(), *shape[2:])


@_shape.register
def _(module: Binary, shape: Shape, other: Shape | None = None) -> Shape:
    if other is None:
        other = () if module.constant is None else tuple(module.constant.shape)
    return tuple(np.broadcast_shapes(shape, other))


@_shape.register
def _(module: Concat, *shapes: Shape) -> Shape:
    whole = list(shapes)
    for position in module.positions:
        whole.insert(position, tuple(module.get_buffer(f"constant{position}").shape))
    axis = module.axis
    others = {(*shape[:axis], *shape[axis + 1 :]) for shape in whole}
    if len(others) != 1 or axis >= len(whole[0]):
        raise ValueError(f"{whole[:3]} along axis {axis}")
    return (*whole[0][:axis], sum(shape[axis] for shape in whole), *whole[0][axis + 1 :])


@_shape.register
def _(module: Slice, shape: Shape) -> Shape:
    stop = None if module.step < 0 else module.stop
    length = len(range(*slice(module.start, stop, abs(module.step)).indices(shape[module.axis])))
    return (*shape[: module.axis], length, *shape[module.axis + 1 :])


@_shape.register
def _(module: Reduce, shape: Shape) -> Shape:
    if module.keep:
        return tuple(1 if axis in module.axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in module.axes)


@_shape.register
def _(module: Reshape, shape: Shape) -> Shape:
    count, known = math.prod(shape), math.prod(size for size in module.shape if size != -1)
    free = module.shape.count(-1)
    if free > 1 or known < 1 or (count % known if free else count != known):
        raise ValueError(f"{list(shape)} cannot be {list(module.shape)}")
    return tuple(count // known if size == -1 else size for size in module.shape)


@_shape.register
def _(module: Transpose, shape: Shape) -> Shape:
    if sorted(module.order) != list(range(len(shape))):
        raise ValueError(f"{len(shape)} axes in the order {list(module.order)}")
    return tuple(shape[axis] for axis in module.order)
