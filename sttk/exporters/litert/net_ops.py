"""Handlers of neural operations: convolutions, pads, norms, upsampling."""

from __future__ import annotations

import numpy as np

from sttk.exporters.litert.flat import Array, Scale
from sttk.exporters.litert.lower import Lowering, Node, Quantised, handles
from sttk.exporters.litert.plain_ops import average, depth_to_space, join, part
from sttk.toolkit.core.errors import ExportError

# (the operator, the schema's table of its options)
_WHOLE = ("CONV_2D", "Conv2DOptions")
_DEPTHWISE = ("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions")
_VALID = 1  # the schema's Padding.VALID
# Float16's largest number, less what rounding a product to float16 can add.
_LARGEST_ROOT = 65504.0 * (1 - 2.0**-10)


@handles("DepthToSpace")
def shuffle(node: Node, to: Lowering) -> None:
    """Lower a pixel shuffle.

    Torch's has the channel before the position, so the convolution that makes the input gives its
    channels in the other order (:func:`_order`).
    """
    if not _ordered(node, to):
        raise ExportError(f"{node.name}: what it reads is no convolution's alone")
    block = node.attributes["blocksize"]
    to.done(node, depth_to_space(to, to.value(node.inputs[0]), block, node.output))


def _ordered(node: Node, to: Lowering) -> bool:
    """Whether a convolution, possibly with its output rounded to int8, makes the node's input."""
    name = node.inputs[0]
    while len(to.readers[name]) == 1 and name in to.nodes:
        maker = to.nodes[name]
        if maker.kind == "Conv":
            return True
        if maker.kind not in ("QuantizeLinear", "DequantizeLinear"):
            return False
        name = maker.inputs[0]
    return False


def _order(node: Node, channels: int, to: Lowering) -> Array:
    """Return the order in which a convolution must give its channels, by the node that reads it."""
    order: Array = np.arange(channels)
    name = node.output
    while len(to.readers.get(name, ())) == 1:
        reader = to.readers[name][0]
        if reader.kind == "DepthToSpace" and reader.attributes.get("mode") == b"CRD":
            block = reader.attributes["blocksize"]
            order = order.reshape(-1, block, block).transpose(1, 2, 0).reshape(-1)
            break
        if reader.kind not in ("QuantizeLinear", "DequantizeLinear"):
            break
        name = reader.output
    return order


@handles("QuantizeLinear")
def quantise(node: Node, to: Lowering) -> None:
    """Lower float to int8."""
    scale = _scale(node, to)
    stored = to.flat.tensor(node.output, "int8", scale)
    made = to.flat.operator("QUANTIZE", [to.value(node.inputs[0])], stored, "QuantizeOptions")
    to.quantised[node.output] = Quantised(made, scale)


@handles("DequantizeLinear")
def dequantise(node: Node, to: Lowering) -> None:
    """Record the int8 form, which a convolution reads: nothing is computed yet."""
    source = node.inputs[0]
    if source in to.constants:
        to.quantised[node.output] = Quantised(to.constants[source], _scale(node, to))
    else:
        to.quantised[node.output] = to.quantised[source]


def _scale(node: Node, to: Lowering) -> Scale:
    scales = to.constants[node.inputs[1]]
    zeros = to.constants[node.inputs[2]] if len(node.inputs) > 2 else np.zeros_like(scales, np.int8)
    return Scale(scales.reshape(-1), zeros.reshape(-1))


@handles("Conv")
def convolve(node: Node, to: Lowering) -> None:
    """Lower a convolution.

    (D, C/groups, K, K) weights become (D, K, K, C/groups), a depthwise one's (1, K, K, D).
    """
    name, attributes = node.inputs[1], node.attributes
    kept = to.quantised.get(name)
    weight = kept.stored if kept else to.constants[name]
    if isinstance(weight, int) or weight.ndim != 4:
        raise ExportError(f"{node.name}: its weights are not constant, or not of two axes")
    order = _order(node, len(weight), to)
    weight, bias = weight[order], _bias(node, len(weight), to)[order]
    groups = attributes.get("group", 1)
    depthwise = groups > 1 and weight.shape[1] == 1
    turned = weight.transpose((1, 2, 3, 0) if depthwise else (0, 2, 3, 1))
    fields = _window(attributes)
    if depthwise:
        fields["depthMultiplier"] = len(weight) // groups
    kind = (
        ("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions")
        if depthwise
        else ("CONV_2D", "Conv2DOptions")
    )
    if kept:
        scales = Scale(kept.scale.scales[order], kept.scale.zero_points[order], 3 * depthwise)
        _in_int8(node, to, kind, turned, bias, scales, fields)
        return
    source = _padded(to, to.value(node.inputs[0]), attributes.get("pads", [0] * 4), node)
    inputs = [source, to.numbers(name, turned, weights=True), to.numbers(to.new(name), bias)]
    to.done(node, to.add(kind[0], inputs, node.output, kind[1], **fields))


def _in_int8(
    node: Node, to: Lowering, kind: tuple[str, str], weight: Array, bias: Array, scales: Scale,
    fields: dict[str, int],
) -> None:  # fmt: skip
    """Lower an int8 convolution, whose operator includes the rounding that follows in the graph."""
    (reader,) = to.readers[node.output]
    read = to.quantised[node.inputs[0]]
    if (
        reader.kind != "QuantizeLinear"
        or not isinstance(read.stored, int)
        or any(node.attributes.get("pads", ()))
    ):
        raise ExportError(f"{node.name}: what it gives is not rounded to int8, or it pads")
    of_sum = scales.scales.astype(np.float64) * float(read.scale.scales[0])
    whole = np.clip(np.rint(bias / of_sum), -(2**31), 2**31 - 1).astype(np.int32)
    name = to.new(node.output)
    inputs = [
        read.stored,
        to.flat.constant(f"{name}/weight", weight, scales),
        to.flat.constant(f"{name}/bias", whole, Scale(of_sum, np.zeros(len(of_sum)))),
    ]
    out = _scale(reader, to)
    made = to.flat.operator(kind[0], inputs, to.flat.tensor(name, "int8", out), kind[1], **fields)
    to.quantised[node.output] = Quantised(made, out)


def _bias(node: Node, channels: int, to: Lowering) -> Array:
    if len(node.inputs) > 2:
        return to.constants[node.inputs[2]]
    return np.zeros(channels, np.float32)


def _window(attributes: dict[str, list[int]]) -> dict[str, int]:
    (down, right), (high, wide) = (
        attributes.get("strides", [1, 1]),
        attributes.get("dilations", [1, 1]),
    )
    return {
        "padding": _VALID,
        "strideH": down,
        "strideW": right,
        "dilationHFactor": high,
        "dilationWFactor": wide,
    }


def _padded(to: Lowering, tensor: int, pads: list[int], node: Node) -> int:
    """Pad with zeros at the top, left, bottom and right."""
    if not any(pads):
        return tensor
    top, left, bottom, right = pads
    sides = np.array([[0, 0], [top, bottom], [left, right], [0, 0]])
    name = to.new(node.output)
    return to.add("PAD", [tensor, to.numbers(to.new(name), sides)], name, "PadOptions")


@handles("ConvTranspose")
def transposed(node: Node, to: Lowering) -> None:
    """Lower a transposed convolution.

    With stride s, it is a convolution to s^2 times the channels and depth to space: exact, for any
    size, and with kernels that phones have.

        y[s m + a] = sum over p of W[s p + a] x[m - p], for phases a and W = 0 beyond its kernel.
    """
    attributes, weight = node.attributes, to.constants[node.inputs[1]]
    stride = attributes.get("strides", [1, 1])[0]
    channels, out, kernel, columns = weight.shape
    plain = {*attributes.get("strides", [1, 1])} == {stride} and kernel == columns
    if not plain or attributes.get("group", 1) != 1 or {*attributes.get("dilations", [1])} != {1}:
        raise ExportError(f"{node.name}: a transposed convolution of an unusual form")
    reach = -(-kernel // stride)
    whole = np.zeros((channels, out, reach * stride, reach * stride), weight.dtype)
    whole[:, :, :kernel, :kernel] = weight
    phases = whole.reshape(channels, out, reach, stride, reach, stride)[:, :, ::-1, :, ::-1]
    turned = phases.transpose(3, 5, 1, 2, 4, 0).reshape(-1, reach, reach, channels)
    bias = np.tile(_bias(node, out, to), stride**2)
    source = _padded(to, to.value(node.inputs[0]), [reach - 1] * 4, node)
    name = to.new(node.output)
    inputs = [
        source,
        to.numbers(node.inputs[1], turned, weights=True),
        to.numbers(to.new(name), bias),
    ]
    wide = to.add("CONV_2D", inputs, name, "Conv2DOptions", **_window({}))
    spread = depth_to_space(to, wide, stride, to.new(name))
    begin, end = attributes.get("pads", [0] * 4)[:2], attributes.get("pads", [0] * 4)[2:]
    more = attributes.get("output_padding", [0, 0])
    over = [stride * reach - kernel + p - m for p, m in zip(end, more, strict=True)]
    if min(over) < 0:
        raise ExportError(f"{node.name}: its output is padded by more than is cut off")
    bounds = {axis + 1: (begin[axis], -over[axis] if over[axis] else 1 << 30) for axis in (0, 1)}
    to.done(node, part(to, spread, bounds, node.output))


@handles("Pad")
def pad(node: Node, to: Lowering) -> None:
    """Lower a pad with zeros, by reflection, or by repetition of the edge."""
    pads = to.constants[node.inputs[1]].tolist()
    if len(node.inputs) > 3 and node.inputs[3]:
        raise ExportError(f"{node.name}: pads named axes")
    half = len(pads) // 2
    sides = dict(zip((0, 3, 1, 2), zip(pads[:half], pads[half:], strict=True), strict=True))
    mode = node.attributes.get("mode", b"constant")
    tensor = to.value(node.inputs[0])
    if mode == b"constant":
        value = to.constants[node.inputs[2]].item() if len(node.inputs) > 2 else 0
        if value:
            raise ExportError(f"{node.name}: pads with {value}")
        numbers = to.numbers(to.new(node.output), np.array([sides[axis] for axis in range(4)]))
        to.done(node, to.add("PAD", [tensor, numbers], node.output, "PadOptions"))
        return
    for axis, (before, after) in sorted(sides.items()):  # rows first: they are contiguous
        if before or after:
            tensor = _with_edges(to, tensor, axis, (before, after), mode == b"reflect", node.output)
    to.done(node, tensor)


def _with_edges(
    to: Lowering, tensor: int, axis: int, pads: tuple[int, int], reflect: bool, name: str
) -> int:
    """Pad by reflection, or by repetition of the edge, with slices joined to the tensor.

    MIRROR_PAD would be one operator, but XNNPACK has none, so each would end its part of the graph.
    Measured on one thread of a Zen 1: the mobile net takes 1.31 times as long as in ONNX Runtime
    with slices, and 2.19 times with MIRROR_PAD.
    """
    before, after = pads

    def line(first: int) -> int:
        past = first + 1 if first != -1 else 1 << 30
        return part(to, tensor, {axis: (first, past)}, to.new(name))

    if reflect:
        heads = [line(index) for index in range(before, 0, -1)]
        tails = [line(index) for index in range(-2, -2 - after, -1)]
    else:
        heads = [line(0)] * before if before else []
        tails = [line(-1)] * after if after else []
    return join(to, [*heads, tensor, *tails], axis, to.new(name))


@handles("InstanceNormalization")
def instance_norm(node: Node, to: Lowering) -> None:
    """Lower to (x - mean) a + beta, with a = gamma / sqrt(var + eps).

    The form x a + (beta - mean a) would be one pass over the picture less, but GPUs that compute in
    float16 lose a low contrast to the mean in it. There, eps can also be 0, so the root of a flat
    channel is infinite: it is held where a is a number of float16, and 0 times that is 0, not NaN.
    """
    source, name = to.value(node.inputs[0]), node.output
    gamma, beta = (to.constants[each].reshape(1, 1, 1, -1) for each in node.inputs[1:3])
    mean = average(to, source, [1, 2], to.new(name))
    centred = to.add("SUB", [source, mean], to.new(name), "SubOptions")
    squares = to.add("SQUARED_DIFFERENCE", [source, mean], to.new(name))
    variance = average(to, squares, [1, 2], to.new(name))
    epsilon = np.float32(node.attributes.get("epsilon", 1e-5)).reshape(())
    least = to.numbers(to.new(name), epsilon)
    root = to.add("RSQRT", [_sum(to, variance, least, name)], to.new(name))
    bound = np.float32(_LARGEST_ROOT / max(1.0, float(np.abs(gamma).max())))
    if epsilon * bound**2 >= 1:  # else float32 needs larger roots
        most = to.numbers(to.new(name), bound.reshape(()))
        root = to.add("MINIMUM", [root, most], to.new(name), "MaximumMinimumOptions")
    a = _product(to, root, to.numbers(to.new(name), gamma), name)
    shift = to.numbers(to.new(name), beta)
    to.done(node, _sum(to, _product(to, centred, a, name), shift, name))


@handles("BatchNormalization")
def batch_norm(node: Node, to: Lowering) -> None:
    """Lower to x a + b with constants a and b."""
    scale, beta, mean, variance = (
        to.constants[each].astype(np.float64) for each in node.inputs[1:5]
    )
    a = scale / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    name, source = node.output, to.value(node.inputs[0])
    factor, shift = (
        to.numbers(to.new(name), each.reshape(1, 1, 1, -1)) for each in (a, beta - mean * a)
    )
    to.done(node, _sum(to, _product(to, source, factor, name), shift, name))


def _sum(to: Lowering, left: int, right: int, name: str) -> int:
    return to.add("ADD", [left, right], to.new(name), "AddOptions")


def _product(to: Lowering, left: int, right: int, name: str) -> int:
    return to.add("MUL", [left, right], to.new(name), "MulOptions")


@handles("Resize")
def resize(node: Node, to: Lowering) -> None:
    """Lower an upsampling: nearest by a whole number, or bilinear with aligned corners."""
    mode = node.attributes.get("mode", b"nearest")
    aligned = node.attributes.get("coordinate_transformation_mode") == b"align_corners"
    if mode == b"nearest":
        _nearest(node, to)
    elif mode == b"linear" and aligned:
        _bilinear(node, to)
    else:
        raise ExportError(f"{node.name}: mode {mode.decode()}")


def _nearest(node: Node, to: Lowering) -> None:
    """Lower a factor k as k^2 copies of the channels and depth to space.

    There are fast kernels for that, and no size has to be known.
    """
    scales = to.constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
    factor = int(scales[2]) if scales is not None and len(scales) == 4 else 0
    if factor < 1 or scales is None or scales.tolist() != [1, 1, factor, factor]:
        raise ExportError(f"{node.name}: scales that are not one whole number")
    copies = join(to, [to.value(node.inputs[0])] * factor**2, 3, to.new(node.output))
    to.done(node, depth_to_space(to, copies, factor, node.output))


def _bilinear(node: Node, to: Lowering) -> None:
    sizes = to.constants.get(node.inputs[3]) if len(node.inputs) > 3 else None
    if sizes is None or len(sizes) != 4:
        raise ExportError(f"{node.name}: a size that is not fixed", fix="export with --size")
    size = to.numbers(to.new(node.output), sizes[2:])
    options = "ResizeBilinearOptions"
    inputs = [to.value(node.inputs[0]), size]
    to.done(node, to.add("RESIZE_BILINEAR", inputs, node.output, options, alignCorners=True))
