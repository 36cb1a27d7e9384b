"""What a plan costs on no device in particular: bytes moved, and multiplications by their width.

Norms and convolutions of few channels are bound by memory, convolutions of many by arithmetic; a
device's own time lies between the two, and only measuring tells it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.core.style_net import StyleNet

_WIDTHS: Mapping[Precision, int] = {"fp32": 4, "fp16": 2, "int8": 1, "fp8": 1}  # bytes


@dataclass(frozen=True)
class Layer:
    """What one layer of a net handles for one picture, in values.

    Attributes:
        weights: that it has.
        given: that go in.
        made: that come out.
        products: multiplications of a convolution.
    """

    weights: int
    given: int
    made: int
    products: int


class Costs:
    """Of the plans of one net.

    Args:
        layers: by name (:func:`layers_of`).
        quantised: names of the layers that int8 and fp8 are for; others stay as they are carried.
        carriers: type of the tensors in a block of each precision.
    """

    def __init__(
        self,
        layers: Mapping[str, Layer],
        quantised: Collection[str],
        carriers: Mapping[Precision, torch.dtype],
    ) -> None:
        self._layers, self._carriers = layers, carriers
        # A rewritten layer's convolution lies within what stands for the layer.
        self._quantised = {
            layer for layer in layers for name in quantised if f"{name}.".startswith(f"{layer}.")
        }

    def bytes(self, plan: Plan) -> int:
        """Of weights, inputs and outputs of all layers, each read or written once."""
        return sum(self._bytes(name, plan.of(name)) for name in self._layers)

    def work(self, plan: Plan) -> int:
        """Multiplications, each times the bytes of a factor."""
        return sum(
            layer.products * self._width(name, plan.of(name))
            for name, layer in self._layers.items()
        )

    def _bytes(self, name: str, precision: Precision) -> int:
        layer, carried = self._layers[name], self._carriers[precision].itemsize
        width = self._width(name, precision)
        given = width if precision in ("int8", "fp8") else carried
        return layer.weights * width + layer.given * given + layer.made * carried

    def _width(self, name: str, precision: Precision) -> int:
        """Of a weight."""
        if precision in ("int8", "fp8") and name not in self._quantised:
            return self._carriers[precision].itemsize
        return _WIDTHS[precision]


def layers_of(net: StyleNet, size: Size) -> dict[str, Layer]:
    """Each module that has weights of its own, as it runs on one picture of ``size``."""
    found: dict[str, Layer] = {}

    def watch(name: str) -> Any:
        def note(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            given = sum(x.numel() for x in inputs if isinstance(x, Tensor))
            weights = sum(weight.numel() for weight in module.parameters(recurse=False))
            products = _products(module, inputs[0], output)
            found[name] = Layer(weights, given, output.numel(), products)

        return note

    hooks = [
        module.register_forward_hook(watch(name))
        for name, module in net.named_modules()
        if any(True for _ in module.parameters(recurse=False))
    ]
    try:
        with torch.inference_mode():
            net(torch.zeros(1, 3, *size))
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _products(module: nn.Module, given: Tensor, made: Tensor) -> int:
    if isinstance(module, nn.Conv2d):
        return made.numel() * module.weight[0].numel()
    if isinstance(module, nn.ConvTranspose2d):
        return given.numel() * module.weight[0].numel()
    return 0
