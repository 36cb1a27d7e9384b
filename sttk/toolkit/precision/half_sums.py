"""float16 arithmetic that adds up in float16, on any CPU.

The accumulator of a convolution is rounded to float16 after every multiply-add: tap by tap, and
within a tap channel by channel. XNNPACK's kernels compute in this way where the CPU has float16
arithmetic (f16-igemm with AVX-512 FP16 or NEON FP16), and so do the kernels of LiteRT's GPU
delegate (tensorflow/lite/delegates/gpu/common/tasks/conv_generic.cc with
``CalculationsPrecision::F16``). Every other operation on float16 tensors is computed in float32 and
its result rounded, means included: XNNPACK's are f16-f32acc kernels, and the delegate's reductions
have float32 accumulators (tasks/reduce.cc).

Results do not depend on the CPU, nor on the kernels that torch would choose for a convolution.

Known limits: a multiply-add is rounded to float32 before it is rounded to float16, where a fused
one rounds once; kernels by Winograd's algorithm, which some devices use for wide 3x3 convolutions,
round in other places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from sttk.toolkit.precision.half import RoundedHalf

_Pair = int | Sequence[int]
# One tap of a kernel: its inputs (B, C, H, W), and its weights (D, C / groups).
_Tap = tuple[Tensor, Tensor]


class HalfSums(RoundedHalf):
    """A mode that, while active, computes float16 operations as the module describes."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """See torch.overrides.TorchFunctionMode."""
        own = _CONVOLUTIONS.get(func)
        if own is None or args[0].dtype != torch.float16:
            return super().__torch_function__(func, types, args, kwargs)
        with torch._C.DisableTorchFunction():  # noqa: SLF001
            return own(*args, **(kwargs or {}))


class HalfConvolutions(TorchFunctionMode):
    """A mode that, while active, rounds what float32 convolutions read, and adds up in float16.

    It is for interpreters that carry float16 values in float32; results are float32 as well. The
    bias is added after the sum, as the kernels of GPUs do it.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """See torch.overrides.TorchFunctionMode."""
        own, named = _CONVOLUTIONS.get(func), dict(kwargs or {})
        if own is None:
            return func(*args, **named)
        x, weight, *more = args
        bias = more.pop(0) if more else named.pop("bias", None)
        with torch._C.DisableTorchFunction():  # noqa: SLF001
            y = own(x.half(), weight.half(), None, *more, **named).float()
            return y if bias is None else (y + bias.half().view(-1, 1, 1)).half().float()


def run_with_half_sums(net: nn.Module, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run a net whose float16 blocks add up in float16.

    Args:
        net: a net that was cast to its plan (``precision/cast.py``).
        batch: (B, 3, H, W) float32 in 0..255.

    Returns:
        Its output, (B, 3, H', W') float32.

    Raises:
        RuntimeError: the net does not take such an input.
    """
    with HalfSums(), torch.inference_mode():
        output: NDArray[np.float32] = net(torch.from_numpy(np.ascontiguousarray(batch))).numpy()
    return output


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _Pair = 1,
    padding: _Pair = 0,
    dilation: _Pair = 1,
    groups: int = 1,
) -> Tensor:
    """Return ``torch.conv2d`` of float16 tensors, added up in float16; it starts from the bias."""
    (down, right), (top, left), (high, wide) = map(_pair, (stride, padding, dilation))
    x = F.pad(x, (left, left, top, top))
    rows, columns = (
        (x.shape[axis] - reach * (weight.shape[axis] - 1) - 1) // step + 1
        for axis, step, reach in ((2, down, high), (3, right, wide))
    )
    taps = (
        (
            x[:, :, i * high :: down, j * wide :: right][:, :, :rows, :columns],
            weight[:, :, i, j],
        )
        for i in range(weight.shape[2])
        for j in range(weight.shape[3])
    )
    return _summed(taps, _start(x, bias, (weight.shape[0], rows, columns)), groups)


def conv_transpose2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _Pair = 1,
    padding: _Pair = 0,
    output_padding: _Pair = 0,
    groups: int = 1,
    dilation: _Pair = 1,
) -> Tensor:
    """Return ``torch.conv_transpose2d`` of float16 tensors, added up in float16.

    Each of the stride's phases is a convolution with its share of the taps, as in XNNPACK.

    Raises:
        NotImplementedError: it has groups or a dilation.
    """
    if _pair(dilation) != (1, 1) or groups != 1:
        raise NotImplementedError("float16 sums of a transposed convolution with groups")
    steps, pads, more = map(_pair, (stride, padding, output_padding))
    sides = [
        (x.shape[axis + 2] - 1) * steps[axis] - 2 * pads[axis] + weight.shape[axis + 2] + more[axis]
        for axis in (0, 1)
    ]
    y = _start(x, bias, (weight.shape[1], *sides))
    reach = max(weight.shape[2:])
    x = F.pad(x, [reach] * 4)
    for a in range(steps[0]):
        for b in range(steps[1]):
            part = y[:, :, a :: steps[0], b :: steps[1]]
            taps = (
                (
                    x[:, :, top : top + part.shape[2], left : left + part.shape[3]],
                    weight[:, :, i, j].T,
                )
                for i, top in _phase(a, weight.shape[2], steps[0], pads[0], reach)
                for j, left in _phase(b, weight.shape[3], steps[1], pads[1], reach)
            )
            part.copy_(_summed(taps, part.contiguous(), 1))
    return y


def _phase(first: int, kernel: int, step: int, pad: int, before: int) -> list[tuple[int, int]]:
    """Return each tap of the outputs ``first``, ``first + step``, ..., and where its inputs begin.

    Args:
        first: the first output.
        kernel: the number of taps.
        step: the stride.
        pad: the rows or columns that are cut off at the beginning.
        before: the zeros that the input was padded with at the beginning.
    """
    taps = ((k, first + pad - k) for k in range(kernel))
    return [(k, distance // step + before) for k, distance in taps if distance % step == 0]


def _start(x: Tensor, bias: Tensor | None, shape: Sequence[int]) -> Tensor:
    """Return accumulators of this shape, (D, H, W) for each picture, that hold the bias."""
    total = torch.zeros((x.shape[0], *shape), dtype=torch.float16)
    if bias is not None:
        total += bias.half().view(-1, 1, 1)
    return total


def _summed(taps: Iterable[_Tap], total: Tensor, groups: int) -> Tensor:
    """Add each tap's products one by one to ``total``, contiguous (B, D, H, W), and return it."""
    batch, out, *sides = total.shape
    sums = total.view(batch, groups, out // groups, *sides)
    for x, weight in taps:
        inner = weight.shape[1]
        inputs = x.reshape(batch, groups, inner, 1, *sides).contiguous()
        factors = weight.reshape(1, groups, -1, inner, 1, 1)
        for channel in range(inner):
            # torch's kernel widens to float32, where the product of two float16 is exact, and
            # rounds the sum to float16: one pass over memory, where doing it by hand takes three.
            sums.addcmul_(inputs[:, :, channel], factors[:, :, :, channel])
    return total


def _pair(value: _Pair) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    first, *rest = value
    return first, rest[0] if rest else first


_CONVOLUTIONS: Mapping[Callable[..., Any], Callable[..., Tensor]] = {
    torch.conv2d: conv2d,
    torch.conv_transpose2d: conv_transpose2d,
}
