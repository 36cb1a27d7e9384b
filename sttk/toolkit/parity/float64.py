"""float64 convolutions at the speed of matrix products.

torch has no fast float64 convolution on a CPU: it copies every patch of the picture out (im2col),
5 GB for one 9x9 layer at 512 px. Here a convolution is a sum of matrix products, one for each
position of its kernel: with the padded picture flattened to (C, H * W), the picture shifted to
position (i, j) is the same memory, i * W + j values further on (Vasudevan et al. 2017, "Parallel
Multi Channel Convolution using General Matrix Multiplication", kn2row).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

# Values in one piece of the output: a piece and its operands fit in a CPU's cache.
_PIECE = 1 << 17


class Float64Convolutions(TorchFunctionMode):
    """A torch mode in which float64 ``conv2d`` of one group runs as matrix products.

    The result is the same to the last few bits: only the order of the sums differs.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """See torch.overrides.TorchFunctionMode."""
        if func is F.conv2d:
            call = _Call(*args, **(kwargs or {}))
            if call.is_supported():
                return conv2d(*call)
        return func(*args, **(kwargs or {}))


class _Call(NamedTuple):
    """The arguments of ``torch.nn.functional.conv2d``."""

    x: Tensor
    weight: Tensor
    bias: Tensor | None = None
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1

    def is_supported(self) -> bool:
        plain = self.groups == 1 and self.x.dim() == 4 and not isinstance(self.padding, str)
        return plain and self.x.dtype == self.weight.dtype == torch.float64


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    *_: int,
) -> Tensor:
    """Compute :func:`torch.nn.functional.conv2d` of one group: (B, C, H, W) -> (B, D, H', W')."""
    rows, columns = _pair(padding)
    x = F.pad(x, (columns, columns, rows, rows))
    out = torch.stack([_convolve(one, weight, _pair(stride), _pair(dilation)) for one in x])
    return out if bias is None else out + bias.view(1, -1, 1, 1)


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    one, other = (value, value) if isinstance(value, int) else value
    return one, other


def _convolve(
    x: Tensor, weight: Tensor, stride: tuple[int, int], dilation: tuple[int, int]
) -> Tensor:
    """Convolve one padded picture, (C, H, W) -> (D, H', W').

    The picture is split into phases by the stride: position (i, j) of the kernel reads only the
    phase (i mod stride, j mod stride).
    """
    height, width = (
        (side - dilated * (taps - 1) - 1) // strided + 1
        for side, dilated, taps, strided in zip(
            x.shape[1:], dilation, weight.shape[2:], stride, strict=True
        )
    )
    rows, columns = (-(-side // step) for side, step in zip(x.shape[1:], stride, strict=True))
    x = F.pad(x, (0, columns * stride[1] - x.shape[2], 0, rows * stride[0] - x.shape[1]))
    phases = {
        (i, j): x[:, i :: stride[0], j :: stride[1]].reshape(len(x), -1)
        for i in range(stride[0])
        for j in range(stride[1])
    }
    terms = []
    for i in range(weight.shape[2]):
        for j in range(weight.shape[3]):
            row, column = i * dilation[0], j * dilation[1]
            phase = phases[row % stride[0], column % stride[1]]
            shift = row // stride[0] * columns + column // stride[1]
            terms.append((phase, shift, weight[:, :, i, j].contiguous()))
    # The last row ends where the picture does, so no read goes past it.
    flat = _summed(terms, len(weight), (height - 1) * columns + width)
    flat = F.pad(flat, (0, height * columns - flat.shape[1]))
    return flat.view(len(weight), height, columns)[:, :, :width]


def _summed(terms: list[tuple[Tensor, int, Tensor]], channels: int, length: int) -> Tensor:
    out = terms[0][0].new_zeros(channels, length)
    step = max(1, _PIECE // channels)
    for start in range(0, length, step):
        piece = out[:, start : start + step]
        total = piece.new_zeros(piece.shape)
        for phase, shift, weight in terms:
            begin = start + shift
            total.addmm_(weight, phase[:, begin : begin + piece.shape[1]])
        piece.copy_(total)
    return out
