"""float16 arithmetic that adds up in float16, as XNNPACK's kernels do on CPUs that have it.

A convolution's accumulator is rounded to float16 after every multiply-add, tap by tap and within a
tap channel by channel (XNNPACK, f16-igemm with AVX-512 FP16 or NEON FP16: one fused multiply-add
each). Every other operation on float16 is computed in float32 and its result rounded, its means too
(f16-f32acc kernels). All of it is written in float32 and rounded by hand, so it says the same on
every CPU, whatever kernels the CPU would choose.

It is too strict for whole nets: XNNPACK's ARM64 kernels compute a convolution that follows an
instance norm in float32 (docs/targets/executorch.md, fp16).
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from sttk.exporters import exporter
from sttk.exporters.base import ExportRequest
from sttk.exporters.plain_norms import PlainNorms
from sttk.exporters.prepare import carriers, prepare
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.precision.cast import cast_net
from sttk.toolkit.precision.half import RoundedHalf
from sttk.toolkit.runtimes.base import Closing


class HalfSums(RoundedHalf):
    """While it is entered, see the module."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        own = _CONVOLUTIONS.get(func)
        if own and args[0].dtype == torch.float16:
            with torch._C.DisableTorchFunction():
                return own(*args, **(kwargs or {})).half()
        return super().__torch_function__(func, types, args, kwargs)


class HalfSumsRunner(Closing):
    """A net as ExecuTorch computes it by a plan, on such a CPU.

    Args:
        net: the style net, as it was loaded.
        plan: which block is in which precision.
        size: of the pictures.
    """

    name = "float16 sums, emulated"
    notes = ()

    def __init__(self, net, plan, size):
        self.takes = Shapes.fixed(*size)
        able = exporter("executorch")
        request = ExportRequest(net, plan, self.takes)
        ready = prepare(request, able).request
        self._net = PlainNorms(cast_net(ready.net, plan, carriers(able))).eval()

    def run(self, batch):
        with HalfSums(), torch.inference_mode():
            return self._net(torch.from_numpy(np.ascontiguousarray(batch))).numpy()


def _convolved(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    (down, right), (top, left), (high, wide) = map(_pair, (stride, padding, dilation))
    x = F.pad(x.float(), (left, left, top, top))
    rows, columns = (
        (x.shape[axis] - reach * (weight.shape[axis] - 1) - 1) // step + 1
        for axis, step, reach in ((2, down, high), (3, right, wide))
    )
    taps = [
        (
            x[:, :, i * high :: down, j * wide :: right][:, :, :rows, :columns],
            weight[:, :, i, j],
        )
        for i in range(weight.shape[2])
        for j in range(weight.shape[3])
    ]
    return _summed(taps, bias, groups)


def _transposed(
    x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):  # fmt: skip
    """Each of the stride's phases is a convolution with its share of the taps, as in XNNPACK."""
    assert _pair(dilation) == (1, 1)
    assert groups == 1
    steps, pads, more = map(_pair, (stride, padding, output_padding))
    sides = [
        (x.shape[axis + 2] - 1) * steps[axis] - 2 * pads[axis] + weight.shape[axis + 2] + more[axis]
        for axis in (0, 1)
    ]
    y = torch.zeros(x.shape[0], weight.shape[1], *sides)
    reach = max(weight.shape[2:])
    x = F.pad(x.float(), [reach] * 4)
    for a in range(steps[0]):
        for b in range(steps[1]):
            part = y[:, :, a :: steps[0], b :: steps[1]]
            taps = [
                (
                    x[:, :, top : top + part.shape[2], left : left + part.shape[3]],
                    weight[:, :, i, j].T,
                )
                for i, top in _phase(a, weight.shape[2], steps[0], pads[0], reach)
                for j, left in _phase(b, weight.shape[3], steps[1], pads[1], reach)
            ]
            part.copy_(_summed(taps, bias, 1))
    return y


def _phase(first, kernel, step, pad, before):
    """Of the outputs ``first``, ``first + step``, ...: each tap, and where its inputs begin."""
    taps = ((k, first + pad - k) for k in range(kernel))
    return [(k, distance // step + before) for k, distance in taps if distance % step == 0]


def _summed(taps, bias, groups):
    """Each tap: inputs (B, C, H, W) and weights (D, C / groups), added up one by one."""
    (batch, _, *sides), (out, inner) = taps[0][0].shape, taps[0][1].shape
    total = torch.zeros(batch, groups, out // groups, *sides)
    if bias is not None:
        total += bias.float().view(1, groups, -1, 1, 1)
    half = torch.empty_like(total, dtype=torch.float16)
    for x, weight in taps:
        grouped = x.reshape(batch, groups, inner, 1, *sides)
        factors = weight.float().view(1, groups, -1, inner, 1, 1)
        for channel in range(inner):
            # The product of two float16 is exact in float32.
            total.addcmul_(grouped[:, :, channel], factors[:, :, :, channel])
            total.copy_(half.copy_(total))
    return total.view(batch, out, *sides)


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


_CONVOLUTIONS = {torch.conv2d: _convolved, torch.conv_transpose2d: _transposed}
