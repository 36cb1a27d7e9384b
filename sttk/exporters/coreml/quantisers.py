"""Translations of torch's fake quantisers, of which an int8 net is made, to Core ML's own.

Activations get ``quantize`` and ``dequantize``: the convolution after them runs in int8 where the
Neural Engine can (A17 Pro, M4 and later, says coremltools' guide). Weights are int8 in the package.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sttk.toolkit.host.optional import Lazy

if TYPE_CHECKING:
    from coremltools.converters import mil
    from coremltools.converters.mil.frontend.torch import ops
else:
    mil = Lazy("coremltools.converters.mil", "coreml")
    ops = Lazy("coremltools.converters.mil.frontend.torch.ops", "coreml")

QUANTISE = "quantize"
_RANGE = (-128, 127)
# The package stores scales in float16, which has 11 bits down to this value and fewer below.
_SMALLEST_SCALE = float(np.finfo(np.float16).smallest_normal)


@functools.cache
def register_quantisers() -> None:
    """Register, once, the translations that coremltools lacks."""
    tensor_overload = [f"{fake_quantize_per_tensor_affine.__name__}.tensor_qparams"]
    mil.register_torch_op(fake_quantize_per_tensor_affine, tensor_overload, override=True)
    mil.register_torch_op(fake_quantize_per_channel_affine, override=True)


def fake_quantize_per_tensor_affine(context: Any, node: Any) -> None:
    """Translate (clamp(round(x / scale) + zero, -128, 127) - zero) * scale."""
    x, scale, zero, *bounds = ops._get_inputs(context, node, expected=5)  # noqa: SLF001
    factor = np.float32(scale.val)
    _check(factor, *(var.val for var in bounds))
    # Core ML expects a zero point of 0 to be left out.
    point = {"zero_point": np.int8(zero.val)} if zero.val else {}
    quantised = mil.Builder.quantize(input=x, scale=factor, output_dtype="int8", **point)
    context.add(mil.Builder.dequantize(input=quantised, scale=factor, name=node.name, **point))


def fake_quantize_per_channel_affine(context: Any, node: Any) -> None:
    """Translate the same for a weight, which is stored as int8 with a scale per channel.

    coremltools turns a ``dequantize`` of a constant into the system's operation for that.
    """
    inputs = ops._get_inputs(context, node, expected=6)  # noqa: SLF001
    weight, scale, zero, axis, *bounds = (var.val for var in inputs)
    quantised = _quantised(weight, scale, zero, int(axis), *bounds)
    used = quantised.any(axis=tuple(set(range(quantised.ndim)) - {int(axis)}))
    if np.any(zero):
        raise ValueError(f"weights quantised around {zero}, not around 0")
    _check(scale[used], *bounds)
    result = mil.Builder.dequantize(input=quantised, scale=scale, axis=axis, name=node.name)
    context.add(result)


def _quantised(weight: Any, scale: Any, zero: Any, axis: int, low: int, high: int) -> Any:
    """Return the weight as int8, rounded by torch itself."""
    factors = torch.from_numpy(scale)
    whole = torch.fake_quantize_per_channel_affine(
        torch.from_numpy(weight), factors, torch.from_numpy(zero), axis, int(low), int(high)
    )
    shape = [-1 if i == axis else 1 for i in range(whole.ndim)]
    return (whole / factors.reshape(shape)).round().to(torch.int8).numpy()


def _check(scale: Any, low: int, high: int) -> None:
    if (low, high) != _RANGE:
        raise ValueError(f"a quantiser of {low} to {high}, not of -128 to 127")
    if np.any(scale < _SMALLEST_SCALE):
        raise ValueError(
            f"a quantiser's scale of {np.min(scale):.2g} is too small for float16, which Core ML "
            "keeps scales in; int8 weights alone are --precision fp16 --compress int8"
        )
