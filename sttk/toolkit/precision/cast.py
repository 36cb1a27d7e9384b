"""A style net that computes each block in the precision of its plan.

Every module has its weights in its own type, and what goes into it is cast to that type; what its
parents' ``forward`` does between modules is done in the type of its operands, and where two meet,
torch promotes float16 to float32. So a float32 block in a float16 net costs a cast at either end,
and exporters that trace the net write down these casts as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.style_net import StyleNet

# The type of the tensors in a block of each precision: quantisers round within float32.
CARRIERS: Mapping[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "int8": torch.float32,
    "fp8": torch.float32,
}
# Where float16 is that of the weights on disk, and where blocks of int8 pass float16 on.
ON_DISK: Mapping[Precision, torch.dtype] = dict.fromkeys(CARRIERS, torch.float32)
HALF_INT8: Mapping[Precision, torch.dtype] = {**CARRIERS, "int8": torch.float16}
# What goes in here is the picture: it is cast where a block of the net takes it. So is what goes
# into a sequence, which itself does nothing with it.
_ENTRANCES = ("", "net")


def cast_net(
    net: StyleNet, plan: Plan, carriers: Mapping[Precision, torch.dtype] = CARRIERS
) -> StyleNet:
    """A copy of ``net`` that computes by the plan; float32 goes in and comes out.

    Args:
        net: quantised, if the plan is.
        plan: which block is in which precision.
        carriers: type of the tensors in a block of each precision. Where fp16 is carried in
            float32, its weights are rounded to float16 and the arithmetic is not.
    """
    mixed = copy.deepcopy(net)
    for name, module in mixed.named_modules():
        precision = plan.of(name)
        into = carriers[precision]
        if precision == "fp16":
            _convert(module, torch.float16)
        _convert(module, into)
        if name not in _ENTRANCES and not isinstance(module, nn.Sequential):
            module.register_forward_pre_hook(_Caster(into))
    mixed.register_forward_hook(_to_float32)
    return mixed


class _Caster:
    """A forward pre-hook: casts what a module is given."""

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
    """Not even a cast to the same type, which torch.export would write down."""
    return x if x.dtype == into else x.to(into)


def _convert(module: nn.Module, into: torch.dtype) -> None:
    """The module's own weights, not those of what is in it."""
    for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
        if tensor.is_floating_point():
            tensor.data = tensor.data.to(into)
