"""Constant folding of the arithmetic on sizes and weights that exporters leave in a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, reduce

import numpy as np
import torch
from torch import Tensor

from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError, shown
from sttk.toolkit.checkpoints.onnx_graph.graph import Call

# A file of a few bytes could ask for any size, so a folded constant has at most this many values:
# several times as many as any style net's largest weight.
MOST_VALUES = 1 << 23
_WHOLE = (6, 7)  # INT32, INT64
_BOOL = 9
_FLOATS = (1, 10, 11, 16)


def bounded(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape if it has at most ``MOST_VALUES`` values, else raise UnreadableError."""
    # Not torch's numel, which can overflow.
    count = 1
    for size in shape:
        count *= size
    if count > MOST_VALUES or any(size < 0 for size in shape):
        raise UnreadableError(f"a constant of shape {shown(list(shape))}")
    return shape


def _constant(call: Call) -> Tensor:
    attributes = call.node.attributes
    for name in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        value = attributes.get(name)
        if isinstance(value, Tensor):
            return value
        if value is not None:
            return torch.tensor(value)
    raise UnreadableError("its value is neither numbers nor a tensor")


def _constant_of_shape(call: Call) -> Tensor:
    value = call.node.attributes.get("value")
    fill = value.flatten()[:1] if isinstance(value, Tensor) else torch.zeros(1)
    return fill.expand(bounded(tuple(call.whole_numbers(0, "shape")))).clone()


def _expand(call: Call) -> Tensor:
    wanted = tuple(call.whole_numbers(1, "shape"))
    shape = bounded(tuple(np.broadcast_shapes(call.shape, wanted)))
    return call.constant(0, "value").expand(shape)


def _gather(call: Call) -> Tensor:
    values, indices = call.constant(0, "data"), call.constant(1, "indices")
    axis = call.integer("axis", 0) % max(1, values.ndim)
    size = values.shape[axis]
    shape = bounded((*values.shape[:axis], *indices.shape, *values.shape[axis + 1 :]))
    indices = torch.where(indices < 0, indices + size, indices)
    return values.index_select(axis, indices.flatten()).reshape(shape)


def _cast(call: Call) -> Tensor:
    value, to = call.constant(0, "value"), call.integer("to", 0)
    if to in _FLOATS:
        return value.float()
    if to in _WHOLE:
        return value.long()
    if to == _BOOL:
        return value.bool()
    raise UnreadableError(f"it casts to type {to}")


def _axes(call: Call) -> list[int] | None:
    if call.opset > 12:
        return call.whole_numbers(1, "axes") if call.given(1) else None
    return call.ints("axes")


def _squeeze(call: Call) -> Tensor:
    value, axes = call.constant(0, "value"), _axes(call)
    return value.squeeze() if axes is None else value.squeeze(tuple(axes))


def _unsqueeze(call: Call) -> Tensor:
    value, axes = call.constant(0, "value"), _axes(call) or []
    rank = value.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        value = value.unsqueeze(axis)
    return value


def _where(call: Call) -> Tensor:
    condition, one, other = (call.constant(i, "operand") for i in range(3))
    bounded(tuple(np.broadcast_shapes(condition.shape, one.shape, other.shape)))
    return torch.where(condition.bool(), one, other)


def _pair(apply: Callable[[Tensor, Tensor], Tensor], call: Call) -> Tensor:
    one, other = call.constant(0, "operand"), call.constant(1, "operand")
    bounded(tuple(np.broadcast_shapes(one.shape, other.shape)))
    return apply(one, other)


def _extreme(apply: Callable[[Tensor, Tensor], Tensor], call: Call) -> Tensor:
    """Fold Max or Min, which take any number of operands."""
    bounded(tuple(np.broadcast_shapes(*(shape or () for shape in call.shapes))))
    return reduce(apply, (call.constant(i, "operand") for i in range(len(call.constants))))


def _mod(call: Call) -> Tensor:
    return _pair(torch.fmod if call.integer("fmod", 0) else torch.remainder, call)


_PAIRS = {
    "And": torch.logical_and,
    "Equal": torch.eq,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "Or": torch.logical_or,
}
CONSTANT: Mapping[str, Callable[[Call], Tensor]] = {
    **{kind: partial(_pair, apply) for kind, apply in _PAIRS.items()},
    "Cast": _cast,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "Gather": _gather,
    "Max": partial(_extreme, torch.maximum),
    "Min": partial(_extreme, torch.minimum),
    "Mod": _mod,
    "Not": lambda call: torch.logical_not(call.constant(0, "operand")),
    "Round": lambda call: torch.round(call.constant(0, "operand")),
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
