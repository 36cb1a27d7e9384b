"""ONNX operations as torch modules, each read at the opset that the file declares.

``OPERATIONS[kind](call)`` returns the modules to run in sequence; the first takes the inputs that
are not constant, in their order. ``onnx.version_converter`` is not used: it does not know the
experimental operations of early opsets, and cannot convert from several later ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from sttk.toolkit.checkpoints.onnx_graph import data_movement
from sttk.toolkit.checkpoints.onnx_graph.convolutions import (
    Chain,
    convolution,
    depth_to_space,
    resize,
    transposed_convolution,
)
from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError, shown
from sttk.toolkit.checkpoints.onnx_graph.graph import Call
from sttk.toolkit.checkpoints.onnx_graph.modules import (
    UNARY,
    Affine,
    Binary,
    Clip,
    HardSigmoid,
    Unary,
    with_weights,
)

_FLOATS = (1, 10, 11, 16)  # FLOAT, FLOAT16, DOUBLE, BFLOAT16


def _binary(call: Call) -> Chain:
    constants = [position for position in (0, 1) if call.constants[position] is not None]
    if not constants:
        return [Binary(call.node.kind)]
    (position,) = constants
    constant = _aligned(call, call.constant(position, "constant"))
    affine = _affine(call.node.kind, constant, call.shapes[1 - position], first=position == 0)
    return [affine or Binary(call.node.kind, constant, first=position == 0)]


def _aligned(call: Call, constant: Tensor) -> Tensor:
    """Align a constant for broadcasting: before opset 7 its axes began at ``axis``."""
    if call.opset > 6 or not call.integer("broadcast", 0) or constant.ndim == 0:
        return constant
    axis = call.integer("axis", len(call.shape) - constant.ndim)
    trailing = len(call.shape) - axis - constant.ndim
    if axis < 0 or trailing < 0:
        raise UnreadableError(f"axis {axis} for a constant of shape {shown(list(constant.shape))}")
    return constant.reshape(*constant.shape, *(1,) * trailing)


def _affine(
    kind: str, constant: Tensor, shape: tuple[int, ...] | None, *, first: bool
) -> Affine | None:
    """Return an affine if the constant is one number, or one number per channel of a picture."""
    if shape is None or len(shape) != 4 or not constant.is_floating_point() or constant.ndim > 4:
        return None
    value = constant.reshape(*(1,) * (4 - constant.ndim), *constant.shape)
    if value.shape not in ((1, 1, 1, 1), (1, shape[1], 1, 1)):
        return None
    one, zero = torch.ones_like(value), torch.zeros_like(value)
    if kind == "Add":
        return Affine(one, value)
    if kind == "Sub":
        return Affine(-one, value) if first else Affine(one, -value)
    if kind == "Mul":
        return Affine(value, zero)
    return Affine(one / value, zero) if kind == "Div" and not first else None


def _scale_and_shift(call: Call) -> Chain:
    """Convert the experimental operation Affine: ``alpha * x + beta``."""
    return [_numbers(call.number("alpha", 1.0), [call.number("beta", 0.0)])]


def _image_scaler(call: Call) -> Chain:
    """Convert Core ML's experimental ImageScaler: ``scale * x + bias``, with a bias per channel."""
    bias = call.floats("bias") or [0.0]
    if len(bias) not in (1, call.shape[1]):
        raise UnreadableError(f"{len(bias)} biases for {call.shape[1]} channels")
    return [_numbers(call.number("scale", 1.0), bias)]


def _numbers(scale: float, shift: list[float]) -> Affine:
    shifts = torch.tensor(shift).reshape(1, -1, 1, 1)
    return Affine(torch.full_like(shifts, scale), shifts)


def _instance_norm(call: Call) -> Chain:
    weight, bias = call.constant(1, "scale"), call.constant(2, "bias")
    # An instance norm over three axes is part of a group norm.
    kind = nn.InstanceNorm1d if len(call.shape) == 3 else nn.InstanceNorm2d
    with torch.device("meta"):
        module = kind(weight.numel(), call.number("epsilon", 1e-5), affine=True)
    return [with_weights(module, weight=weight, bias=bias)]


def _batch_norm(call: Call) -> Chain:
    if len(call.node.outputs) > 1 or call.integer("training_mode", 0):
        raise UnreadableError("it is in training mode")
    names = ("weight", "bias", "running_mean", "running_var")
    weights = {name: call.constant(i + 1, name) for i, name in enumerate(names)}
    with torch.device("meta"):
        module = nn.BatchNorm2d(weights["weight"].numel(), call.number("epsilon", 1e-5))
    return [with_weights(module, **weights, num_batches_tracked=torch.tensor(0))]


def _clip(call: Call) -> Chain:
    if call.opset > 10:
        given = [call.constant(i, "bound").item() if call.given(i) else None for i in (1, 2)]
    else:
        given = [call.number(name, 0.0) if name in call.node.attributes else None
                 for name in ("min", "max")]  # fmt: skip
    low, high = (None if value is None else float(value) for value in given)
    return [nn.ReLU6() if (low, high) == (0.0, 6.0) else Clip(low, high)]


def _prelu(call: Call) -> Chain:
    slope = call.constant(1, "slope").flatten()
    return [with_weights(nn.PReLU(slope.numel()), weight=slope)]


def _cast(call: Call) -> Chain:
    """Drop casts between float types, since everything is computed in float32."""
    if call.integer("to", 0) not in _FLOATS:
        raise UnreadableError("it casts a picture to something other than floats")
    return [nn.Identity()]


def _plain(make: Callable[[], nn.Module], call: Call) -> Chain:  # noqa: ARG001
    return [make()]


OPERATIONS: Mapping[str, Callable[[Call], Chain]] = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow"), _binary),
    **{kind: partial(_plain, partial(Unary, kind)) for kind in UNARY},
    **dict.fromkeys(("Upsample", "Resize"), resize),
    **dict.fromkeys(("ReduceMean", "ReduceSum"), data_movement.reduce),
    **dict.fromkeys(("Identity", "Dropout"), partial(_plain, nn.Identity)),
    "Affine": _scale_and_shift,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": data_movement.concat,
    "Conv": convolution,
    "ConvTranspose": transposed_convolution,
    "Crop": data_movement.crop,
    "DepthToSpace": depth_to_space,
    "Elu": lambda call: [nn.ELU(call.number("alpha", 1.0))],
    "Flatten": data_movement.flatten,
    "Gather": data_movement.gather,
    "GlobalAveragePool": data_movement.global_mean,
    "HardSigmoid": lambda call: [HardSigmoid(call.number("alpha", 0.2), call.number("beta", 0.5))],
    "HardSwish": partial(_plain, nn.Hardswish),
    "ImageScaler": _image_scaler,
    "InstanceNormalization": _instance_norm,
    "LeakyRelu": lambda call: [nn.LeakyReLU(call.number("alpha", 0.01))],
    "PRelu": _prelu,
    "Pad": data_movement.pad,
    "Relu": partial(_plain, nn.ReLU),
    "Reshape": data_movement.reshape,
    "Sigmoid": partial(_plain, nn.Sigmoid),
    "Slice": data_movement.slices,
    "Softplus": partial(_plain, nn.Softplus),
    "Tanh": partial(_plain, nn.Tanh),
    "Transpose": data_movement.transpose,
}
