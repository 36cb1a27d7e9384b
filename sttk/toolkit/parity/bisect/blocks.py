"""The intermediate results of the reference, in order of execution.

A block is one torch function's result: a leaf module's, or one that a module's ``forward`` computes
itself, such as the sum of a residual block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.nets.followed import followed


@dataclass(frozen=True)
class TracedStep:
    """A block at the moment when it is computed.

    Attributes:
        name: the torch module's name, such as ``net.conv1.conv``; if a module's ``forward``
            computes the block itself, with the function: ``net.blocks.0: add``, ``net: relu 2``.
        module: the torch module's name.
        function: the torch function, such as ``conv2d``.
        result: the block's result, (B, C, H, W).
    """

    name: str
    module: str
    function: str
    result: Tensor


Observe = Callable[[TracedStep], None]
Rounding = Callable[[Tensor], Tensor]


def run(net: StyleNet, image: Tensor, observe: Observe, rounding: Rounding | None = None) -> None:
    """Run ``net``, and call ``observe`` with each of its blocks in order of execution.

    Args:
        net: the net, with parameters of the same type as ``image``.
        image: (B, 3, H, W) in 0..255.
        observe: the callback; a later block may overwrite the result that it was given.
        rounding: applied to each result before the net goes on with it.
    """
    with (
        torch.inference_mode(),
        followed(net) as where,
        _Recorder(net, where, observe, rounding),
    ):
        net(image)


class _Recorder(TorchFunctionMode):
    """A torch mode in which each function that makes a 4-d tensor from the input is a block."""

    def __init__(
        self,
        net: nn.Module,
        where: list[tuple[str, nn.Module]],
        observe: Observe,
        rounding: Rounding | None,
    ) -> None:
        super().__init__()
        self._where, self._observe, self._rounding = where, observe, rounding
        self._calls: Counter[str] = Counter()
        # Weights and tensors computed from weights alone, by id; kept alive, lest an id be reused.
        self._constants = {id(x): x for x in (*net.parameters(), *net.buffers())}

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: Any = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """See torch.overrides."""
        result = func(*args, **(kwargs or {}))
        if not isinstance(result, Tensor):
            return result
        if all(id(arg) in self._constants for arg in args if isinstance(arg, Tensor)):
            self._constants[id(result)] = result
            return result
        if not result.is_floating_point() or result.ndim != 4:
            return result
        result = self._rounding(result) if self._rounding else result
        module, function = self._where[-1][0], func.__name__.strip("_")
        self._observe(TracedStep(self._name(function), module, function, result))
        return result

    def _name(self, function: str) -> str:
        name, module = self._where[-1]
        if not any(True for _ in module.children()):
            return name
        name = f"{name}: {function}" if name else function
        self._calls[name] += 1
        return name if self._calls[name] == 1 else f"{name} {self._calls[name]}"
