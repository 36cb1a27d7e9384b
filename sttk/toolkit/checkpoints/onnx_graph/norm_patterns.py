"""Rules that fuse norms which exporters decomposed. All are exact up to rounding."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from sttk.toolkit.checkpoints.onnx_graph.modules import (
    Affine,
    Binary,
    Reduce,
    Reshape,
    Unary,
    with_weights,
)
from sttk.toolkit.checkpoints.onnx_graph.program import Step
from sttk.toolkit.checkpoints.onnx_graph.rewriting import Found, View

_SPATIAL = (2, 3)


def flat_mean(step: Step, view: View) -> Found:
    """Replace the mean over the last axis of (N, C, 1, H * W) by that of (N, C, H, W) over two."""
    module = step.module
    if not isinstance(module, Reduce) or module.kind != "ReduceMean" or not module.keep:
        return None
    flat = view.made_by(step.inputs[0], Reshape)
    if flat is None or module.axes != (3,):
        return None
    shape = view.shape(flat[1][0])
    if len(shape) != 4 or view.shape(step.inputs[0]) != (*shape[:2], 1, shape[2] * shape[3]):
        return None
    return Reduce("ReduceMean", _SPATIAL, keep=True), flat[1]


def norm(step: Step, view: View) -> Found:
    """Fuse an instance norm: d / sqrt(mean(d^2) + eps), d = x - mean(x), means over H and W.

    The division may be written as a product with the power -1/2, in any form, scaled by channel.
    The square may be d (d + c): its mean is mean(d^2) + c mean(d), and mean(d) = 0.
    """
    module = step.module
    if not isinstance(module, Binary) or module.constant is not None:
        return None
    if module.kind == "Div":
        pairs = [step.inputs]
    elif module.kind == "Mul":
        pairs = [step.inputs, step.inputs[::-1]]
    else:
        return None
    for centred, other in pairs:
        picture = _centred(view, centred)
        found = _deviation(view, other, inverse=module.kind == "Mul")
        if picture and found and found[0] == picture:
            return _instance_norm(view.shape(picture)[1], found[1], found[2]), (picture,)
    return None


def _instance_norm(channels: int, epsilon: float, scale: Tensor) -> nn.InstanceNorm2d:
    with torch.device("meta"):
        module = nn.InstanceNorm2d(channels, epsilon, affine=True)
    weight = scale.flatten().expand(channels).clone()
    return with_weights(module, weight=weight, bias=torch.zeros(channels))


def _centred(view: View, name: str) -> str | None:
    """Return the picture x, if the value is x - mean(x)."""
    found = view.made_by(name, Binary)
    if not found or found[0].kind != "Sub" or len(found[1]) != 2:
        return None
    picture, mean = found[1]
    return picture if _spatial_mean_of(view, mean) == picture else None


def _spatial_mean_of(view: View, name: str) -> str | None:
    """Return the value y, if this is its mean over H and W, (N, C, 1, 1)."""
    found = view.made_by(name, Reduce)
    if not found or (found[0].kind, found[0].axes, found[0].keep) != ("ReduceMean", _SPATIAL, True):
        return None
    return found[1][0] if len(view.shape(name)) == 4 else None


def _deviation(view: View, name: str, *, inverse: bool) -> tuple[str, float, Tensor] | None:
    """Return x, eps and s, if the value is (mean(d^2) + eps)^(1/2), or s times its inverse."""
    scale = torch.ones(1)
    affine = view.made_by(name, Affine)
    if inverse and affine and not affine[0].shifts:
        scale, name = affine[0].scale, affine[1][0]
    power = 1.0
    while (found := _root(view, name)) is not None:
        power *= found[0]
        name = found[1]
    variance = _variance(view, name)
    if variance is None or power != (-0.5 if inverse else 0.5):
        return None
    return (*variance, scale)


def _root(view: View, name: str) -> tuple[float, str] | None:
    """Return the power p and the base y, if the value is y^p."""
    if unary := view.made_by(name, Unary):
        powers = {"Sqrt": 0.5, "Reciprocal": -1.0}
        kind = unary[0].kind
        return (powers[kind], unary[1][0]) if kind in powers else None
    binary = view.made_by(name, Binary)
    number = _number(binary[0].constant) if binary else None
    if binary is None or number is None:
        return None
    if binary[0].kind == "Pow" and not binary[0].first:
        return number, binary[1][0]
    inverted = binary[0].kind == "Div" and binary[0].first and number == 1.0
    return (-1.0, binary[1][0]) if inverted else None


def _number(constant: Tensor | None) -> float | None:
    """Return the only value of a constant, or None if it is 0."""
    if constant is None or constant.numel() != 1:
        return None
    return float(constant) or None


def _variance(view: View, name: str) -> tuple[str, float] | None:
    """Return the picture x and eps, if the value is mean((x - mean(x))^2) + eps."""
    found = view.made_by(name, Affine)
    if not found or found[0].scales or found[0].shift.numel() != 1:
        return None
    epsilon = float(found[0].shift)
    square = _spatial_mean_of(view, found[1][0])
    base = _root_of_square(view, square) if square else None
    picture = _centred(view, base) if base else None
    return (picture, epsilon) if picture and epsilon > 0 else None


def _root_of_square(view: View, name: str) -> str | None:
    """Return d, if the value is d^2, or d (d + c), which has the same mean if mean(d) = 0."""
    found = view.made_by(name, Binary)
    if not found:
        return None
    module, inputs = found
    if module.kind == "Pow" and not module.first and _number(module.constant) == 2.0:
        return inputs[0]
    if module.kind != "Mul" or len(inputs) != 2:
        return None
    for one, other in (inputs, inputs[::-1]):
        shifted = view.made_by(other, Affine)
        if one == other or (shifted and not shifted[0].scales and shifted[1] == (one,)):
            return one
    return None


def group_norm(step: Step, view: View) -> Found:
    """Fuse a group norm of G groups: an instance norm of (N, G, C / G * H * W), reshaped back."""
    inner = view.made_by(step.inputs[0], nn.InstanceNorm1d)
    flat = view.made_by(inner[1][0], Reshape) if inner else None
    if not isinstance(step.module, Reshape) or not inner or not flat:
        return None
    shape, groups = view.shape(flat[1][0]), inner[0].num_features
    if len(shape) != 4 or view.shape(step.output) != shape or shape[1] % groups:
        return None
    if view.shape(inner[1][0])[:2] != (shape[0], groups):
        return None
    each, epsilon = shape[1] // groups, inner[0].eps
    weights = {
        "weight": inner[0].weight.repeat_interleave(each),
        "bias": inner[0].bias.repeat_interleave(each),
    }
    with torch.device("meta"):
        module = (
            nn.InstanceNorm2d(groups, epsilon, affine=True)
            if each == 1
            else nn.GroupNorm(groups, shape[1], epsilon)
        )
    return with_weights(module, **weights), flat[1]


def affine_after_norm(step: Step, view: View) -> Found:
    """Fold a scale and shift into the norm before: a (w n + b) + c = (a w) n + (a b + c)."""
    name = step.inputs[0]
    found: tuple[nn.InstanceNorm2d | nn.GroupNorm, tuple[str, ...]] | None = view.made_by(
        name, nn.InstanceNorm2d
    ) or view.made_by(name, nn.GroupNorm)
    if not isinstance(step.module, Affine) or not found or not view.used_once(name):
        return None
    inner, inputs = found
    scale, shift = step.module.scale.flatten(), step.module.shift.flatten()
    weights = {"weight": inner.weight * scale, "bias": inner.bias * scale + shift}
    return with_weights(copy.deepcopy(inner), **weights), inputs
