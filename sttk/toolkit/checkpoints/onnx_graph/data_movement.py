"""Data-movement operations (pad, crop, slice, reshape, ...) and reductions as torch modules."""

from __future__ import annotations

import torch
from torch import nn

from sttk.toolkit.checkpoints.onnx_graph.convolutions import Chain
from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError, shown
from sttk.toolkit.checkpoints.onnx_graph.graph import Call
from sttk.toolkit.checkpoints.onnx_graph.modules import (
    ChannelOrder,
    Concat,
    Crop,
    Reduce,
    Reshape,
    Slice,
    Transpose,
)


def crop(call: Call) -> Chain:
    """Convert the experimental Crop: a (left, top, right, bottom) border, or an offset and size."""
    border, scale = call.ints("border") or [0, 0, 0, 0], call.ints("scale")
    if len(border) != 4 or min(border) < 0:
        raise UnreadableError(f"a border of {shown(border)}")
    left, top, right, bottom = border
    if scale:
        height, width = call.pixels
        right, bottom = width - left - scale[1], height - top - scale[0]
    return [Crop(left, right, top, bottom)]


def pad(call: Call) -> Chain:
    """Convert a Pad of height and width; negative pads crop."""
    left, right, top, bottom = sides = _picture_pads(call)
    mode = call.text("mode", "constant")
    if min(sides) < 0:
        if mode != "constant" or max(sides) > 0:
            raise UnreadableError(f"pads of {shown(sides)}, mode {shown(mode)}")
        return [Crop(-left, -right, -top, -bottom)]
    if mode == "constant":
        value = call.constant(2, "value").item() if call.given(2) else call.number("value", 0.0)
        return [nn.ConstantPad2d(sides, float(value))]
    kinds = {"reflect": nn.ReflectionPad2d, "edge": nn.ReplicationPad2d}
    if mode not in kinds:
        raise UnreadableError(f"its mode is {shown(mode)}")
    return [kinds[mode](sides)]


def _picture_pads(call: Call) -> tuple[int, int, int, int]:
    """Convert ONNX's pads (all starts, then all ends) to torch's (left, right, top, bottom)."""
    if call.opset > 10:
        pads = call.whole_numbers(1, "pads")
        named = call.whole_numbers(3, "axes") if call.given(3) else [0, 1, 2, 3]
    else:
        pads, named = call.ints("pads") or call.ints("paddings") or [], [0, 1, 2, 3]
    if len(pads) != 2 * len(named) or len(call.shape) != 4:
        raise UnreadableError(f"{len(pads)} pads for {len(call.shape)} axes")
    axes = [axis % 4 for axis in named]
    starts = dict(zip(axes, pads[: len(axes)], strict=True))
    ends = dict(zip(axes, pads[len(axes) :], strict=True))
    if any(side.get(axis) for side in (starts, ends) for axis in (0, 1)):
        raise UnreadableError(f"it pads batch or channels: {shown(pads)}")
    return starts.get(3, 0), ends.get(3, 0), starts.get(2, 0), ends.get(2, 0)


def slices(call: Call) -> Chain:
    """Convert to one module per axis, or one :class:`Crop` for all borders of a picture."""
    border, chain = [0, 0, 0, 0], list[nn.Module]()
    for axis, start, stop, step in _slice_axes(call):
        size = call.shape[axis]
        if step == -1 and start >= size - 1 and stop < -size:
            chain.append(Slice(axis, 0, None, -1))
            continue
        if step < 1:
            raise UnreadableError(f"a step of {step}")
        first, last, _ = slice(start, stop).indices(size)
        if len(call.shape) == 4 and axis > 1 and step == 1:
            border[2 * (3 - axis) : 2 * (3 - axis) + 2] = [first, size - max(last, first)]
        else:
            chain.append(Slice(axis, first, None if last >= size else last, step))
    return [*chain, Crop(*border)] if any(border) else chain or [nn.Identity()]


def _slice_axes(call: Call) -> list[tuple[int, int, int, int]]:
    """Return (axis, start, stop, step) for each sliced axis; a start of -1 counts from the end."""
    if call.opset > 9:
        starts, stops = call.whole_numbers(1, "starts"), call.whole_numbers(2, "ends")
        axes = call.whole_numbers(3, "axes") if call.given(3) else list(range(len(starts)))
        steps = call.whole_numbers(4, "steps") if call.given(4) else [1] * len(starts)
    else:
        starts, stops = call.ints("starts") or [], call.ints("ends") or []
        axes, steps = call.ints("axes") or list(range(len(starts))), [1] * len(starts)
    if not len(starts) == len(stops) == len(axes) == len(steps):
        raise UnreadableError("its starts, ends, axes and steps differ in number")
    rank = len(call.shape)
    found = [axis + rank if axis < 0 else axis for axis in axes]
    if any(not 0 <= axis < rank for axis in found):
        raise UnreadableError(f"axes {shown(axes)} of {rank}")
    sizes = [call.shape[axis] for axis in found]
    reversed_starts = [
        start + size if step < 0 and start < 0 else start
        for start, step, size in zip(starts, steps, sizes, strict=True)
    ]
    return list(zip(found, reversed_starts, stops, steps, strict=True))


def gather(call: Call) -> Chain:
    """Convert a Gather that reorders a picture's channels, such as to BGR."""
    axis, order = call.integer("axis", 0), call.constant(1, "indices")
    if len(call.shape) != 4 or axis not in (1, -3) or order.ndim != 1:
        raise UnreadableError("it takes something other than channels from a picture")
    channels = call.shape[1]
    order = torch.where(order < 0, order + channels, order)
    if order.min() < 0 or order.max() >= channels:
        raise UnreadableError(f"channels {shown(order.tolist())} of {channels}")
    return [ChannelOrder(order)]


def reduce(call: Call) -> Chain:
    """Convert a reduction. Its axes are an attribute or, in later opsets, an input; default all."""
    since = 18 if call.node.kind == "ReduceMean" else 13
    axes = call.ints("axes")
    if call.opset >= since:
        axes = call.whole_numbers(1, "axes") if call.given(1) else None
        if not axes and call.integer("noop_with_empty_axes", 0):
            return [nn.Identity()]
    rank = len(call.shape)
    chosen = sorted({axis % rank for axis in axes}) if axes and rank else list(range(rank))
    return [Reduce(call.node.kind, chosen, keep=bool(call.integer("keepdims", 1)))]


def global_mean(call: Call) -> Chain:
    """Convert GlobalAveragePool to the mean of each channel."""
    return [Reduce("ReduceMean", range(2, len(call.shape)), keep=True)]


def concat(call: Call) -> Chain:
    """Convert a Concat, whose parts may include constants."""
    axis = call.integer("axis", 1) % max(1, len(call.shape))
    known = {i: value for i, value in enumerate(call.constants) if value is not None}
    return [Concat(axis, known)]


def reshape(call: Call) -> Chain:
    """Convert a Reshape to a constant shape, in which 0 keeps the input's size."""
    wanted = call.whole_numbers(1, "shape") if call.opset > 4 else call.ints("shape") or []
    keep = not call.integer("allowzero", 0)
    if keep and any(size == 0 for size in wanted[len(call.shape) :]):
        raise UnreadableError(f"the shape {shown(wanted)} from {len(call.shape)} axes")
    shape = [call.shape[i] if size == 0 and keep else size for i, size in enumerate(wanted)]
    return [Reshape(shape)]


def flatten(call: Call) -> Chain:
    """Convert a Flatten to two axes."""
    axis = call.integer("axis", 1)
    return [Reshape([int(torch.Size(call.shape[:axis]).numel()), -1])]


def transpose(call: Call) -> Chain:
    """Convert a Transpose, which reverses all axes if it names no order."""
    return [Transpose(call.ints("perm") or list(reversed(range(len(call.shape)))))]
