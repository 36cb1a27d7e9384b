"""Convolutions and resampling: ONNX's paddings and scales in torch's terms."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError, shown
from sttk.toolkit.checkpoints.onnx_graph.graph import Call
from sttk.toolkit.checkpoints.onnx_graph.modules import ChannelOrder, Crop, with_weights

Chain = list[nn.Module]
_Pair = tuple[int, int]


def convolution(call: Call) -> Chain:
    """Convert a Conv; asymmetric padding becomes a pad before it."""
    weight, bias = _weights(call, outputs_axis=0)
    strides, dilations, groups = _geometry(call)
    starts, ends = _pads(call, [_same_padding(call, weight, axis) for axis in (0, 1)])
    before = [] if starts == ends else [nn.ZeroPad2d((starts[1], ends[1], starts[0], ends[0]))]
    with torch.device("meta"):
        module = nn.Conv2d(
            weight.shape[1] * groups,
            weight.shape[0],
            (weight.shape[2], weight.shape[3]),
            strides,
            (0, 0) if before else starts,
            dilations,
            groups,
            bias=bias is not None,
        )
    return [*before, with_weights(module, weight=weight, **_named(bias))]


def transposed_convolution(call: Call) -> Chain:
    """Convert a ConvTranspose; pads that torch cannot express become a crop after it.

    ONNX takes ``start`` and ``end`` pixels off the full output; torch takes the same number off
    both sides and gives some back at the end (``output_padding``).
    """
    weight, bias = _weights(call, outputs_axis=1)
    strides, dilations, groups = _geometry(call)
    sides = [_transposed_side(call, weight, axis) for axis in (0, 1)]
    (top, bottom, out_h), (left, right, out_w) = sides
    crop = Crop(left, right, top, bottom)
    with torch.device("meta"):
        module = nn.ConvTranspose2d(
            weight.shape[0],
            weight.shape[1] * groups,
            (weight.shape[2], weight.shape[3]),
            strides,
            0,
            (out_h, out_w),
            groups,
            bias is not None,
            dilations,
        )
    chain: Chain = [with_weights(module, weight=weight, **_named(bias))]
    return [*chain, crop] if any(crop.border) else chain


def _transposed_side(call: Call, weight: Tensor, axis: int) -> tuple[int, int, int]:
    """Return the pixels to crop at the start and at the end, and the output padding."""
    strides, dilations, _ = _geometry(call)
    out = (call.ints("output_padding") or [0, 0])[axis]
    size, stride = call.pixels[axis], strides[axis]
    full = stride * (size - 1) + (weight.shape[2 + axis] - 1) * dilations[axis] + 1 + out
    shape, auto = call.ints("output_shape"), call.text("auto_pad", "NOTSET")
    if shape is None and not auto.startswith("SAME"):
        starts, ends = _pads(call, [0, 0])
        return starts[axis], ends[axis], out
    excess = full - (shape[-2:][axis] if shape else size * stride)
    if excess < 0:
        return 0, 0, out - excess
    less, more = excess // 2, excess - excess // 2
    return (less, more, out) if auto == "SAME_UPPER" else (more, less, out)


def _weights(call: Call, outputs_axis: int) -> tuple[Tensor, Tensor | None]:
    weight = call.constant(1, "weight")
    bias = call.constant(2, "bias") if call.given(2) else None
    if weight.ndim != 4 or weight.numel() == 0 or not weight.is_floating_point():
        raise UnreadableError(f"its weight has the shape {shown(list(weight.shape))}")
    groups = call.integer("group", 1) if outputs_axis else 1
    if bias is not None and bias.shape != (weight.shape[outputs_axis] * groups,):
        raise UnreadableError(f"its bias has the shape {shown(list(bias.shape))}")
    return weight, bias


def _named(bias: Tensor | None) -> dict[str, Tensor]:
    return {} if bias is None else {"bias": bias}


def _geometry(call: Call) -> tuple[_Pair, _Pair, int]:
    """Return strides, dilations and groups."""
    strides, dilations = call.ints("strides") or [1, 1], call.ints("dilations") or [1, 1]
    groups = call.integer("group", 1)
    if len(strides) != 2 or len(dilations) != 2 or min(*strides, *dilations, groups) < 1:
        raise UnreadableError("its strides, dilations or groups are not those of a picture")
    return (strides[0], strides[1]), (dilations[0], dilations[1]), groups


def _pads(call: Call, same: list[int]) -> tuple[_Pair, _Pair]:
    """Return the (top, left) and (bottom, right) pads; ``same`` is the total for SAME_*."""
    auto = call.text("auto_pad", "NOTSET")
    if auto == "NOTSET":
        pads = call.ints("pads") or [0, 0, 0, 0]
        if len(pads) != 4:
            raise UnreadableError(f"it has {len(pads)} pads, not 4")
        return (pads[0], pads[1]), (pads[2], pads[3])
    if auto == "VALID":
        return (0, 0), (0, 0)
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        raise UnreadableError(f"auto_pad is {shown(auto)}")
    less, more = (same[0] // 2, same[1] // 2), (same[0] - same[0] // 2, same[1] - same[1] // 2)
    return (less, more) if auto == "SAME_UPPER" else (more, less)


def _same_padding(call: Call, weight: Tensor, axis: int) -> int:
    """Return the total padding that makes the output ``ceil(size / stride)``."""
    strides, dilations, _ = _geometry(call)
    size, stride = call.pixels[axis], strides[axis]
    reach = (weight.shape[2 + axis] - 1) * dilations[axis] + 1
    return max(0, (-(-size // stride) - 1) * stride + reach - size)


def resize(call: Call) -> Chain:
    """Convert Upsample and Resize, nearest or linear, by one factor each for height and width."""
    mode = call.text("mode", "nearest")
    scales = _scales(call)
    height, width = call.pixels
    how = call.text("coordinate_transformation_mode", _coordinates_before_opset_11(call))
    if mode == "nearest":
        rounding = call.text("nearest_mode", "round_prefer_floor" if call.opset > 10 else "floor")
        for scale, size in zip(scales, (height, width), strict=True):
            _check_nearest(scale, size, how, rounding)
        return [nn.Upsample(scale_factor=_one(scales), mode="nearest")]
    if mode == "linear" and how in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        corners = how == "align_corners"
        return [nn.Upsample(scale_factor=_one(scales), mode="bilinear", align_corners=corners)]
    raise UnreadableError(f"its mode is {shown(mode)} with coordinates {shown(how)}")


def _coordinates_before_opset_11(call: Call) -> str:
    return "half_pixel" if call.opset > 10 and call.node.kind == "Resize" else "asymmetric"


def _scales(call: Call) -> tuple[float, float]:
    """Return the scales of height and width, from an attribute, a scales or a sizes input."""
    if call.node.kind == "Resize" and call.opset > 10:
        if call.given(3) and call.constant(3, "sizes").numel():
            return _scales_of_sizes(call)
        values = call.constant(2, "scales").flatten().tolist()
    elif call.given(1):
        values = call.constant(1, "scales").flatten().tolist()
    else:
        pair = [call.number("height_scale", 1.0), call.number("width_scale", 1.0)]
        values = call.floats("scales") or [1.0, 1.0, *pair]
    values = _of_four_axes(call, values, 1.0)
    if values[:2] != [1.0, 1.0] or not all(0 < value <= 64 for value in values[2:]):
        raise UnreadableError(f"its scales are {shown(values)}")
    return values[2], values[3]


def _scales_of_sizes(call: Call) -> tuple[float, float]:
    sizes = _of_four_axes(call, [float(n) for n in call.whole_numbers(3, "sizes")], 0.0)
    pairs = list(zip(map(int, sizes[2:]), call.pixels, strict=True))
    if not all(_is_whole(target, size) for target, size in pairs):
        before, after = (
            "x".join(map(str, sides)) for sides in (call.pixels, [target for target, _ in pairs])
        )
        raise UnreadableError(f"it resizes {before} to {after}, which is by no whole factor")
    return pairs[0][0] / pairs[0][1], pairs[1][0] / pairs[1][1]


def _is_whole(target: int, size: int) -> bool:
    """Return whether the factor is whole, or the inverse of a power of two, which is exact."""
    if target < 1 or target % size == 0:
        return target > 0
    return size % target == 0 and (size // target).bit_count() == 1


def _of_four_axes(call: Call, values: list[float], absent: float) -> list[float]:
    """Return a value per axis; since opset 18 the node may list axes, others get ``absent``."""
    axes = [axis % 4 for axis in call.ints("axes") or range(4)]
    if len(values) != len(axes):
        raise UnreadableError(f"it has {len(values)} scales for {len(axes)} axes")
    whole = dict(zip(axes, values, strict=True))
    return [float(whole.get(axis, absent)) for axis in range(4)]


def _one(scales: tuple[float, float]) -> float | tuple[float, float]:
    return scales[0] if scales[0] == scales[1] else scales


_ROUNDINGS = {
    "floor": math.floor,
    "ceil": math.ceil,
    "round_prefer_floor": lambda x: math.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: math.floor(x + 0.5),
}


def _check_nearest(scale: float, size: int, how: str, rounding: str) -> None:
    """Check that ONNX's coordinates select pixel ``i // scale``, as torch's nearest does.

    The scale is a whole number or its inverse, so that the places are exact.
    """
    first = range(min(int(size * scale), 64))
    if int(scale) != scale and int(1 / scale) != 1 / scale:
        raise UnreadableError(f"it scales {size} pixels by {scale:g}, which is no whole factor")
    if rounding not in _ROUNDINGS:
        raise UnreadableError(f"nearest, rounded by {shown(rounding)}")
    if how == "asymmetric":
        places = [i / scale for i in first]
    elif how in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"):
        places = [(i + 0.5) / scale - 0.5 for i in first]
    else:
        raise UnreadableError(f"nearest with coordinates {shown(how)}")
    selected = [min(max(int(_ROUNDINGS[rounding](place)), 0), size - 1) for place in places]
    if selected != [int(i / scale) for i in first]:
        raise UnreadableError(f"nearest with coordinates {how}, rounded by {rounding}")


def depth_to_space(call: Call) -> Chain:
    """Convert DepthToSpace: CRD is torch's pixel shuffle, DCR has its channels reordered first."""
    block, mode = call.integer("blocksize", 0), call.text("mode", "DCR")
    channels = call.shape[1]
    if mode not in ("DCR", "CRD") or block < 1 or channels % block**2 or len(call.shape) != 4:
        raise UnreadableError(f"blocks of {block} in {channels} channels, {shown(mode)}")
    shuffle = nn.PixelShuffle(block)
    if mode == "CRD":
        return [shuffle]
    order = torch.arange(channels).reshape(block * block, -1).T.flatten()
    return [ChannelOrder(order.contiguous()), shuffle]
