"""Rules that fuse what exporters decomposed: instance norms, upsampling, pixel shuffles.

Each rule states the identity that it relies on. All are exact up to rounding.
"""

from __future__ import annotations

import torch
from torch import nn

from sttk.toolkit.checkpoints.onnx_graph.modules import (
    Affine,
    Binary,
    Concat,
    Crop,
    Reshape,
    Transpose,
    with_weights,
)
from sttk.toolkit.checkpoints.onnx_graph.norm_patterns import (
    affine_after_norm,
    flat_mean,
    group_norm,
    norm,
)
from sttk.toolkit.checkpoints.onnx_graph.program import Program, Step
from sttk.toolkit.checkpoints.onnx_graph.rewriting import Found, View, sweep

_PADS = (nn.ConstantPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d)


def canonical(program: Program) -> Program:
    """Return the program after all rules."""
    program = sweep(program, (drop_identity, flat_mean))
    program = sweep(program, (norm, group_norm, upsample, pixel_shuffle))
    return sweep(program, (cropped_deconvolution, affine_after_norm, affine_after_affine))


def drop_identity(step: Step, view: View) -> Found:
    """Drop a step that changes nothing: x + 0 = x * 1 = x."""
    module = step.module
    is_identity = (
        isinstance(module, nn.Identity)
        or (isinstance(module, Affine) and not (module.scales or module.shifts))
        or (isinstance(module, Binary) and _is_neutral(module))
        or (isinstance(module, _PADS) and not any(module.padding))
        or (isinstance(module, Crop) and not any(module.border))
    )
    same_shape = view.shape(step.output) == view.shape(step.inputs[0])
    return step.inputs[0] if is_identity and same_shape else None


def _is_neutral(module: Binary) -> bool:
    neutral = {"Add": 0, "Sub": 0, "Mul": 1, "Div": 1}
    if module.constant is None or module.first or module.kind not in neutral:
        return False
    return bool((module.constant == neutral[module.kind]).all())


def affine_after_affine(step: Step, view: View) -> Found:
    """Merge two scales and shifts: a (w x + b) + c = (a w) x + (a b + c)."""
    found = view.made_by(step.inputs[0], Affine)
    if not isinstance(step.module, Affine) or not found:
        return None
    inner, outer = found[0], step.module
    scale, shift = inner.scale * outer.scale, inner.shift * outer.scale + outer.shift
    return Affine(scale, shift), found[1]


def upsample(step: Step, view: View) -> Found:
    """Fuse nearest x2 made of two concatenations: each pixel with itself, then each row.

    (N, C, H, W) -> (NCHW, 1) -> (NCHW, 2) -> (NCH, 2W) -> (NCH, 4W) -> (N, C, 2H, 2W)
    """
    rows = _doubled(view, step.inputs[0]) if isinstance(step.module, Reshape) else None
    wide = view.made_by(rows, Reshape) if rows else None
    pixels = _doubled(view, wide[1][0]) if wide else None
    flat = view.made_by(pixels, Reshape) if pixels else None
    if not (rows and wide and pixels and flat):
        return None
    shape = view.shape(flat[1][0])
    if len(shape) != 4:
        return None
    batch, channels, height, width = shape
    expected = (
        view.shape(pixels) == (batch * channels * height * width, 1)
        and view.shape(rows) == (batch * channels * height, 2 * width)
        and view.shape(step.output) == (batch, channels, 2 * height, 2 * width)
    )
    return (nn.Upsample(scale_factor=2.0, mode="nearest"), flat[1]) if expected else None


def _doubled(view: View, name: str) -> str | None:
    """Return the value y, if this is (y, y), concatenated along axis 1 of two."""
    found = view.made_by(name, Concat)
    if not found or found[0].axis != 1 or found[0].positions or len(set(found[1])) != 1:
        return None
    return found[1][0] if len(found[1]) == 2 and len(view.shape(name)) == 2 else None


def pixel_shuffle(step: Step, view: View) -> Found:
    """Fuse (N, C r^2, H, W) -> (N, C, r, r, H, W) -> (N, C, H, r, W, r) -> (N, C, H r, W r)."""
    moved = view.made_by(step.inputs[0], Transpose) if isinstance(step.module, Reshape) else None
    split = view.made_by(moved[1][0], Reshape) if moved else None
    if not moved or not split or moved[0].order != (0, 1, 4, 2, 5, 3):
        return None
    before, parts = view.shape(split[1][0]), view.shape(moved[1][0])
    batch, channels, block, again, height, width = parts
    expected = (
        block == again
        and before == (batch, channels * block**2, height, width)
        and view.shape(step.output) == (batch, channels, height * block, width * block)
    )
    return (nn.PixelShuffle(block), split[1]) if expected else None


def cropped_deconvolution(step: Step, view: View) -> Found:
    """Fold the crop of a transposed convolution into its padding.

    ``padding`` takes pixels off both ends, and ``output_padding`` gives some back at the end, as
    many as torch allows.
    """
    found = view.made_by(step.inputs[0], nn.ConvTranspose2d)
    if not isinstance(step.module, Crop) or not found or not view.used_once(step.inputs[0]):
        return None
    inner, inputs = found
    left, right, top, bottom = step.module.border
    starts, ends = (top, left), (bottom, right)
    pads = [padding for padding in inner.padding if isinstance(padding, int)]
    paddings = [pad + start for pad, start in zip(pads, starts, strict=True)]
    outs = [n + s - e for n, s, e in zip(inner.output_padding, starts, ends, strict=True)]
    limits = [max(pair) for pair in zip(inner.stride, inner.dilation, strict=True)]
    if not all(0 <= out < limit for out, limit in zip(outs, limits, strict=True)):
        return None
    with torch.device("meta"):
        module = nn.ConvTranspose2d(
            inner.in_channels,
            inner.out_channels,
            (inner.kernel_size[0], inner.kernel_size[1]),
            (inner.stride[0], inner.stride[1]),
            (paddings[0], paddings[1]),
            (outs[0], outs[1]),
            inner.groups,
            inner.bias is not None,
            (inner.dilation[0], inner.dilation[1]),
        )
    return with_weights(module, **inner.state_dict()), inputs
