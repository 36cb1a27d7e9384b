"""Modules for ONNX operations that torch only has as functions. All take float32 (N, C, H, W)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

_Module = TypeVar("_Module", bound=nn.Module)


def _divide(x: Tensor, y: Tensor) -> Tensor:
    """Divide as ONNX does, truncating for integers (which sizes are)."""
    whole = not x.is_floating_point() and not y.is_floating_point()
    return torch.div(x, y, rounding_mode="trunc" if whole else None)


BINARY: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "Div": _divide,
    "Pow": torch.pow,
}
UNARY: Mapping[str, Callable[[Tensor], Tensor]] = {
    "Abs": torch.abs,
    "Ceil": torch.ceil,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "Log": torch.log,
    "Neg": torch.neg,
    "Reciprocal": torch.reciprocal,
    "Sqrt": torch.sqrt,
}


def with_weights(module: _Module, **weights: Tensor) -> _Module:
    """Assign these parameters and buffers, without a copy, and return the module."""
    module.load_state_dict(weights, assign=True)
    return module.requires_grad_(False)


class Binary(nn.Module):
    """``x op y``, or ``x`` and a constant on either side; shapes broadcast as in NumPy."""

    constant: Tensor | None

    def __init__(self, kind: str, constant: Tensor | None = None, *, first: bool = False) -> None:
        super().__init__()
        self.kind, self.first = kind, first
        self.register_buffer("constant", constant)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """See the class."""
        other = self.constant if y is None else y
        if other is None:
            raise ValueError("one operand is missing")
        return BINARY[self.kind](other, x) if self.first else BINARY[self.kind](x, other)

    def extra_repr(self) -> str:
        """Show the parameters, by which programs are compared."""
        return f"{self.kind}, first={self.first}"


class Unary(nn.Module):
    """An elementwise function."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return UNARY[self.kind](x)

    def extra_repr(self) -> str:
        """Show the parameters, by which programs are compared."""
        return self.kind


class Affine(nn.Module):
    """``scale * x + shift``, each (1, C, 1, 1), or (1, 1, 1, 1) for all channels."""

    scale: Tensor
    shift: Tensor

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)
        # Computed here, because a traced graph cannot branch on its weights.
        self.scales, self.shifts = bool((scale != 1).any()), bool((shift != 0).any())

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = x * self.scale if self.scales else x
        return x + self.shift if self.shifts else x


class Clip(nn.Module):
    """A clamp to the bounds; None is no bound."""

    def __init__(self, low: float | None, high: float | None) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return x.clamp(self.low, self.high)

    def extra_repr(self) -> str:
        """Show the parameters, by which programs are compared."""
        return f"{self.low}, {self.high}"


class HardSigmoid(nn.Module):
    """``max(0, min(1, slope * x + shift))``."""

    def __init__(self, slope: float, shift: float) -> None:
        super().__init__()
        self.slope, self.shift = slope, shift

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return (self.slope * x + self.shift).clamp(0.0, 1.0)

    def extra_repr(self) -> str:
        """Show the parameters, by which programs are compared."""
        return f"{self.slope}, {self.shift}"


class Crop(nn.Module):
    """(N, C, H, W) -> (N, C, H - top - bottom, W - left - right)."""

    def __init__(self, left: int, right: int, top: int, bottom: int) -> None:
        super().__init__()
        self.border = left, right, top, bottom

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        left, right, top, bottom = self.border
        return x[:, :, top : -bottom or None, left : -right or None]

    def extra_repr(self) -> str:
        """Show the parameters, by which programs are compared."""
        return str(self.border)


class ChannelOrder(nn.Module):
    """A channel permutation: channel ``i`` of the output is channel ``order[i]`` of the input."""

    order: Tensor

    def __init__(self, order: Tensor) -> None:
        super().__init__()
        self.register_buffer("order", order)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return x.index_select(1, self.order)


class Slice(nn.Module):
    """``x[start:stop:step]`` along one axis; ``step`` may be -1 for all of the axis."""

    def __init__(self, axis: int, start: int, stop: int | None, step: int) -> None:
        super().__init__()
        self.axis, self.start, self.stop, self.step = axis, start, stop, step

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if self.step < 0:
            return x.flip(self.axis)
        return x[(slice(None),) * self.axis + (slice(self.start, self.stop, self.step),)]

    def extra_repr(self) -> str:
        """Show the parameters, by which programs are compared."""
        return f"{self.axis}, {self.start}, {self.stop}, {self.step}"


class Reduce(nn.Module):
    """A mean or sum over axes, which are not negative."""

    def __init__(self, kind: str, axes: Sequence[int], *, keep: bool) -> None:
        super().__init__()
        self.kind, self.axes, self.keep = kind, tuple(axes), keep

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        function = torch.mean if self.kind == "ReduceMean" else torch.sum
        return function(x, self.axes, keepdim=self.keep)

    def extra_repr(self) -> str:
        """Show the parameters, by which programs are compared."""
        return f"{self.kind}, {self.axes}, {self.keep}"


class Concat(nn.Module):
    """A concatenation along an axis, with ``constants`` inserted at their positions."""

    def __init__(self, axis: int, constants: Mapping[int, Tensor]) -> None:
        super().__init__()
        self.axis, self.positions = axis, tuple(constants)
        for position, constant in constants.items():
            self.register_buffer(f"constant{position}", constant)

    def forward(self, *parts: Tensor) -> Tensor:
        """See the class."""
        whole = list(parts)
        for position in self.positions:  # ascending, so each lands where it belongs
            whole.insert(position, self.get_buffer(f"constant{position}"))
        return torch.cat(whole, self.axis)

    def extra_repr(self) -> str:
        """Show the parameters, by which programs are compared."""
        return f"{self.axis}, {self.positions}"


class Reshape(nn.Module):
    """A reshape to a fixed shape, which binds the net to the size that it was traced at."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return x.reshape(self.shape)

    def extra_repr(self) -> str:
        """Show the parameters, by which programs are compared."""
        return str(self.shape)


class Transpose(nn.Module):
    """A permutation of the axes."""

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        self.order = tuple(order)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return x.permute(self.order)

    def extra_repr(self) -> str:
        """Show the parameters, by which programs are compared."""
        return str(self.order)
