"""Casts a style net so that each block computes in its plan's precision.

Every module keeps its weights in its own type, and its inputs are cast to that type. What a
parent's ``forward`` does between modules is computed in the type of the operands, and torch
promotes float16 to float32 where they differ. So a float32 block in a float16 net costs a cast at
its input and one at its output, and exporters that trace the net export these casts as they are.
The conversions at a net's ends (:data:`ENDS`) are computed in float32, with constants that a file
of float16 can hold.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.style_net import ENDS, StyleNet

# The type of the tensors in a block of each precision; quantised values are carried in float32.
CARRIERS: Mapping[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "int8": torch.float32,
    "fp8": torch.float32,
}
# Where float16 is that of the weights on disk, and where blocks of int8 pass float16 on.
ON_DISK: Mapping[Precision, torch.dtype] = dict.fromkeys(CARRIERS, torch.float32)
HALF_INT8: Mapping[Precision, torch.dtype] = {**CARRIERS, "int8": torch.float16}
# The input of these modules is the picture, which is cast where a block of the net reads it. The
# input of a sequence is likewise cast by its first module.
_ROOTS = ("", "net")


def cast_net(
    net: StyleNet, plan: Plan, carriers: Mapping[Precision, torch.dtype] = CARRIERS
) -> StyleNet:
    """Return a copy of ``net`` that follows the plan, with float32 input and output.

    Args:
        net: the style net, already quantised if the plan has quantised blocks.
        plan: the precision of each block.
        carriers: the type of the tensors in a block of each precision. Where fp16 is carried in
            float32, weights are rounded to float16 but the arithmetic is not.
    """
    mixed = copy.deepcopy(net)
    for name, module in mixed.named_modules():
        precision = plan.of(name)
        into = torch.float32 if name in ENDS else carriers[precision]
        if precision == "fp16":
            _convert(module, torch.float16)
        _convert(module, into)
        if name not in (*_ROOTS, *ENDS) and not isinstance(module, nn.Sequential):
            module.register_forward_pre_hook(_Caster(into))
    mixed.register_forward_hook(_to_float32)
    return mixed


class _Caster:
    """A forward pre-hook that casts a module's inputs."""

    def __init__(self, into: torch.dtype) -> None:
        self._into = into

    def __call__(self, _: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            _cast(x, self._into) if isinstance(x, Tensor) and x.is_floating_point() else x
            for x in inputs
        )


def _to_float32(_: nn.Module, __: tuple[Any, ...], output: Tensor) -> Tensor:
    return _cast(output, torch.float32)


def _cast(x: Tensor, into: torch.dtype) -> Tensor:
    """Cast if the type differs: torch.export would record even a cast to the same type."""
    return x if x.dtype == into else x.to(into)


def _convert(module: nn.Module, into: torch.dtype) -> None:
    """Convert the module's own weights, but not those of its submodules."""
    for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
        if tensor.is_floating_point():
            tensor.data = tensor.data.to(into)
