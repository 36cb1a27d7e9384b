"""The operations of Core ML's ML programs that style nets use, in torch and float32.

Each is prepared once, from its constant inputs, and then applied to the others by name. They
compute what coremltools documents (coremltools.converters.mil.mil.ops.defs).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Constants = dict[str, Any]
Apply = Callable[..., Tensor]


class UnsupportedError(Exception):
    """An operation is used in a way that is not supported here."""


def _tensor(value: Any) -> Tensor:
    return torch.from_numpy(np.array(value, dtype=np.float32))


def _optional(constants: Constants, name: str) -> Tensor | None:
    return _tensor(constants[name]) if constants.get(name) is not None else None


def _numbers(values: Any) -> list[int]:
    return [int(value) for value in np.ravel(values)]


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise UnsupportedError(what)


def _unary(function: Apply) -> Callable[[Constants], Apply]:
    """Make an operation of ``x`` alone, without constants."""

    def prepare(_constants: Constants) -> Apply:
        def apply(x: Tensor) -> Tensor:
            return function(x)

        return apply

    return prepare


def _binary(function: Apply) -> Callable[[Constants], Apply]:
    """Make an operation of ``x`` and ``y``, of which one may be constant."""

    def prepare(constants: Constants) -> Apply:
        known = {name: _tensor(constants[name]) for name in ("x", "y") if name in constants}
        return functools.partial(function, **known)

    return prepare


def _cast(constants: Constants) -> Apply:
    """Cast between float types: the identity, as the interpreter rounds to the result's type."""
    _require(constants["dtype"] in ("fp16", "fp32"), f"dtype {constants['dtype']}")
    return lambda x: x


def _clip(constants: Constants) -> Apply:
    low, high = float(constants["alpha"]), float(constants["beta"])
    return lambda x: x.clamp(low, high)


def _reduce_mean(constants: Constants) -> Apply:
    axes = [int(axis) for axis in np.atleast_1d(constants["axes"])]
    keep = bool(constants.get("keep_dims", False))
    return lambda x: x.mean(axes, keepdim=keep)


def _leaky_relu(constants: Constants) -> Apply:
    slope = float(constants["alpha"])
    return lambda x: F.leaky_relu(x, slope)


def _pad(constants: Constants) -> Apply:
    """Pad; ``pad`` has (before, after) of the last dimensions in order, torch's the last first."""
    mode, pads = str(constants["mode"]), _numbers(constants["pad"])
    pairs = list(zip(pads[::2], pads[1::2], strict=True))
    reversed_pads = [amount for pair in reversed(pairs) for amount in pair]
    if mode == "constant":
        value = float(constants["constant_val"])
        return lambda x: F.pad(x, reversed_pads, value=value)
    _require(mode in ("reflect", "replicate"), f"mode {mode}")
    _require(not any(reversed_pads[4:]), f"mode {mode} of more than height and width")
    return lambda x: F.pad(x, reversed_pads[:4], mode=mode)


def _window(constants: Constants) -> tuple[dict[str, Any], tuple[int, int, int, int]]:
    """Return the parameters of both convolutions: strides etc., and (top, bottom, left, right)."""
    kind, strides = str(constants["pad_type"]), _numbers(constants["strides"])
    _require(kind in ("valid", "custom"), f"pad_type {kind}")
    _require(len(strides) == 2, f"a convolution of {len(strides)} dimensions")
    options = {
        "stride": strides,
        "dilation": _numbers(constants["dilations"]),
        "groups": int(constants["groups"]),
    }
    top, bottom, left, right = _numbers(constants["pad"]) if kind == "custom" else (0, 0, 0, 0)
    return options, (top, bottom, left, right)


def _conv(constants: Constants) -> Apply:
    options, (top, bottom, left, right) = _window(constants)
    weight, bias = _tensor(constants["weight"]), _optional(constants, "bias")

    def apply(x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, **options)

    return apply


def _conv_transpose(constants: Constants) -> Apply:
    """Convolve and crop by the padding; an ``output_shape`` must be that of the result."""
    options, (top, bottom, left, right) = _window(constants)
    weight, bias = _tensor(constants["weight"]), _optional(constants, "bias")
    wanted = constants.get("output_shape")

    def apply(x: Tensor) -> Tensor:
        y = F.conv_transpose2d(x, weight, bias, **options)
        y = F.pad(y, (-left, -right, -top, -bottom))
        if wanted is not None and list(y.shape) != _numbers(wanted):
            raise RuntimeError(f"conv_transpose: {tuple(y.shape)}, not {tuple(_numbers(wanted))}")
        return y

    return apply


def _crop(constants: Constants) -> Apply:
    top, bottom = _numbers(constants["crop_height"])
    left, right = _numbers(constants["crop_width"])
    return lambda x: F.pad(x, (-left, -right, -top, -bottom))


def _slice_by_index(constants: Constants) -> Apply:
    begin, end = _numbers(constants["begin"]), _numbers(constants["end"])
    count = len(begin)
    strides = _numbers(constants.get("stride", [1] * count))
    masks = [constants.get(f"{name}_mask", [False] * count) for name in ("begin", "end", "squeeze")]
    from_start, to_end, squeeze = masks
    _require(min(strides) > 0 and not any(squeeze), "a backward or squeezing slice")
    first = [None if masked else index for index, masked in zip(begin, from_start, strict=True)]
    last = [None if masked else index for index, masked in zip(end, to_end, strict=True)]
    slices = tuple(map(slice, first, last, strides))
    return lambda x: x[slices]


def _instance_norm(constants: Constants) -> Apply:
    gamma, beta = _optional(constants, "gamma"), _optional(constants, "beta")
    epsilon = float(constants["epsilon"])
    return lambda x: F.instance_norm(x, weight=gamma, bias=beta, eps=epsilon)


def half_variance_norm(constants: Constants) -> Apply:
    """Instance norm on a device that squares in float16, where values above 65,504 are infinite."""
    gamma, beta = (_optional(constants, name) for name in ("gamma", "beta"))
    epsilon = float(constants["epsilon"])

    def apply(x: Tensor) -> Tensor:
        deviation = round_to_half(x - x.mean((2, 3), keepdim=True))
        variance = round_to_half(deviation**2).mean((2, 3), keepdim=True)
        y = deviation / (round_to_half(variance) + epsilon).sqrt()
        y = y if gamma is None else y * gamma[:, None, None]
        return y if beta is None else y + beta[:, None, None]

    return apply


def _batch_norm(constants: Constants) -> Apply:
    mean, variance = _tensor(constants["mean"]), _tensor(constants["variance"])
    gamma, beta = _optional(constants, "gamma"), _optional(constants, "beta")
    epsilon = float(constants["epsilon"])
    return lambda x: F.batch_norm(x, mean, variance, gamma, beta, eps=epsilon)


def _upsample_nearest(constants: Constants) -> Apply:
    scales = [float(constants[f"scale_factor_{side}"]) for side in ("height", "width")]
    _require(all(scale.is_integer() for scale in scales), f"a scale of {scales}")
    rows, columns = map(int, scales)
    return lambda x: x.repeat_interleave(rows, 2).repeat_interleave(columns, 3)


def _upsample_bilinear(constants: Constants) -> Apply:
    scales = [float(constants[f"scale_factor_{side}"]) for side in ("height", "width")]
    corners = bool(constants.get("align_corners", True))

    def apply(x: Tensor) -> Tensor:
        # According to the operation's documentation, the output size sets the sampling step.
        size = [int(side * scale) for side, scale in zip(x.shape[2:], scales, strict=True)]
        return F.interpolate(x, size, mode="bilinear", align_corners=corners)

    return apply


def _pixel_shuffle(constants: Constants) -> Apply:
    factor = int(constants["upscale_factor"])
    return lambda x: F.pixel_shuffle(x, factor)


def _concat(constants: Constants) -> Apply:
    axis = int(constants["axis"])
    _require(not constants.get("interleave"), "interleave")
    return lambda values: torch.cat(values, axis)


def _transpose(constants: Constants) -> Apply:
    axes = [int(axis) for axis in constants["perm"]]
    return lambda x: x.permute(axes)


def _quantize(constants: Constants) -> Apply:
    kind, (scale, zero) = str(constants["output_dtype"]), _scale_and_zero(constants)
    _require(kind in ("int8", "uint8"), f"output_dtype {kind}")
    low, high = (-128, 127) if kind == "int8" else (0, 255)
    return lambda input: ((input / scale).round() + zero).clamp(low, high)  # noqa: A006


def _dequantize(constants: Constants) -> Apply:
    scale, zero = _scale_and_zero(constants)
    return lambda input: (input - zero) * scale  # noqa: A006


def _scale_and_zero(constants: Constants) -> tuple[Tensor, Tensor]:
    """Return scale and zero point, either of the whole tensor or per channel."""
    scale, zero = _tensor(constants["scale"]), _tensor(constants.get("zero_point", 0))
    if not scale.ndim:
        return scale, zero
    _require(int(constants.get("axis", -1)) == 1, "a scale along another axis than channels")
    return scale[:, None, None], zero.expand_as(scale)[:, None, None]


def round_to_half(x: Tensor) -> Tensor:
    """Round to the nearest float16, kept as float32; values beyond 65,504 become infinite."""
    return x.half().float()


OPERATIONS: dict[str, Callable[[Constants], Apply]] = {
    "add": _binary(lambda x, y: x + y),
    "batch_norm": _batch_norm,
    "cast": _cast,
    "clip": _clip,
    "concat": _concat,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "crop": _crop,
    "dequantize": _dequantize,
    "floor": _unary(torch.floor),
    "instance_norm": _instance_norm,
    "leaky_relu": _leaky_relu,
    "mul": _binary(lambda x, y: x * y),
    "pad": _pad,
    "pixel_shuffle": _pixel_shuffle,
    "quantize": _quantize,
    "real_div": _binary(lambda x, y: x / y),
    "reduce_mean": _reduce_mean,
    "relu": _unary(F.relu),
    "relu6": _unary(F.relu6),
    "sigmoid": _unary(torch.sigmoid),
    "slice_by_index": _slice_by_index,
    "sqrt": _unary(torch.sqrt),
    "sub": _binary(lambda x, y: x - y),
    "tanh": _unary(torch.tanh),
    "transpose": _transpose,
    "upsample_bilinear": _upsample_bilinear,
    "upsample_nearest_neighbor": _upsample_nearest,
}
# Operations of compressed weights; coremltools decompresses them.
COMPRESSED = (
    "constexpr_affine_dequantize",
    "constexpr_blockwise_shift_scale",
    "constexpr_lut_to_dense",
)
