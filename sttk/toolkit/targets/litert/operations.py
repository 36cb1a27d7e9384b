"""The operations of TFLite that style nets use, in torch, channels last.

Each is prepared once, from its options and the integers that are constant, and then applied to its
other inputs. They compute what LiteRT's reference kernels do (tensorflow/lite/kernels), in whatever
type the tensors have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from sttk.toolkit.targets.litert.moves import OF_MOVES
from sttk.toolkit.targets.litert.schema import ACTIVATIONS, FUSED
from sttk.toolkit.targets.litert.site import Apply, Prepare, Site, require
from sttk.toolkit.targets.litert.windows import OF_WINDOWS

_UNARY: Mapping[str, Callable[[Tensor], Tensor]] = {
    "ABS": torch.abs,
    "EXP": torch.exp,
    "HARD_SWISH": F.hardswish,
    "LOGISTIC": torch.sigmoid,
    "NEG": torch.neg,
    "RELU": F.relu,
    "RELU6": F.relu6,
    "RELU_0_TO_1": lambda x: x.clamp(0, 1),
    "RELU_N1_TO_1": lambda x: x.clamp(-1, 1),
    "RSQRT": torch.rsqrt,
    "SQRT": torch.sqrt,
    "SQUARE": lambda x: x * x,
    "TANH": torch.tanh,
}


def _squared_difference(x: Tensor, y: Tensor) -> Tensor:
    difference = x - y
    return difference * difference


_BINARY: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "ADD": torch.add,
    "DIV": torch.div,
    "MAXIMUM": torch.maximum,
    "MINIMUM": torch.minimum,
    "MUL": torch.mul,
    "PRELU": lambda x, slope: torch.where(x < 0, x * slope, x),
    "SQUARED_DIFFERENCE": _squared_difference,
    "SUB": torch.sub,
}


def _plain(function: Apply) -> Prepare:
    """Make an operation that has no options."""
    return lambda _: function


def _leaky_relu(site: Site) -> Apply:
    slope = float(site.option("Alpha"))
    return lambda x: F.leaky_relu(x, slope)


def _reduction(function: Apply) -> Prepare:
    def prepare(site: Site) -> Apply:
        axes, keep = site.numbers(1), bool(site.option("KeepDims"))
        return lambda x, *_: function(x, dim=axes, keepdim=keep)

    return prepare


def fused(site: Site) -> Callable[[Tensor], Tensor] | None:
    """Return the activation that is fused into an operation, or None."""
    number = site.options.get(FUSED, 0)
    require(number in ACTIVATIONS, f"a fused activation of number {number}")
    return _UNARY[ACTIVATIONS[number]] if number else None


OPERATIONS: Mapping[str, Prepare] = {
    **{kind: _plain(function) for kind, function in _UNARY.items()},
    **{kind: _plain(function) for kind, function in _BINARY.items()},
    **OF_MOVES,
    **OF_WINDOWS,
    "LEAKY_RELU": _leaky_relu,
    "MEAN": _reduction(torch.mean),
    "SUM": _reduction(torch.sum),
}
