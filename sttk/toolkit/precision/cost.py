"""Device-independent costs of a plan: bytes moved, and multiplications weighted by their width.

Norms and convolutions of few channels are memory-bound, convolutions of many channels are
compute-bound. A device's time lies between the two, and only a measurement can tell where.
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
    """The size of one layer of a net on one picture, in values.

    Attributes:
        weights: number of weights.
        given: number of input values.
        made: number of output values.
        products: number of multiplications, for a convolution.
    """

    weights: int
    given: int
    made: int
    products: int


class Costs:
    """The costs of one net's plans.

    Args:
        layers: the net's layers by name (see :func:`layers_of`).
        quantised: names of the layers that are quantised in int8 and fp8; others keep the carrier
            type.
        carriers: the type of the tensors in a block of each precision.
    """

    def __init__(
        self,
        layers: Mapping[str, Layer],
        quantised: Collection[str],
        carriers: Mapping[Precision, torch.dtype],
    ) -> None:
        self._layers, self._carriers = layers, carriers
        # The convolution of a rewritten layer is a submodule of the layer's replacement.
        self._quantised = {
            layer for layer in layers for name in quantised if f"{name}.".startswith(f"{layer}.")
        }

    def bytes(self, plan: Plan) -> int:
        """Return the bytes of all layers' weights, inputs and outputs, each moved once."""
        return sum(self._bytes(name, plan.of(name)) for name in self._layers)

    def work(self, plan: Plan) -> int:
        """Return the number of multiplications, each weighted by the bytes of a factor."""
        return sum(
            layer.products * self._width(name, plan.of(name))
            for name, layer in self._layers.items()
        )

    def _bytes(self, name: str, precision: Precision) -> int:
        layer, carried = self._layers[name], self._carriers[precision].itemsize
        width = self._width(name, precision)
        read = width if precision in ("int8", "fp8") else carried
        return layer.weights * width + layer.given * read + layer.made * carried

    def _width(self, name: str, precision: Precision) -> int:
        """Return the bytes of a weight."""
        if precision in ("int8", "fp8") and name not in self._quantised:
            return self._carriers[precision].itemsize
        return _WIDTHS[precision]


def layers_of(net: StyleNet, size: Size) -> dict[str, Layer]:
    """Measure each module with weights of its own on one picture of ``size``."""
    found: dict[str, Layer] = {}

    def observe(name: str) -> Any:
        def record(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            values = sum(x.numel() for x in inputs if isinstance(x, Tensor))
            weights = sum(weight.numel() for weight in module.parameters(recurse=False))
            products = _products(module, inputs[0], output)
            found[name] = Layer(weights, values, output.numel(), products)

        return record

    hooks = [
        module.register_forward_hook(observe(name))
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


def _products(module: nn.Module, x: Tensor, y: Tensor) -> int:
    if isinstance(module, nn.Conv2d):
        return y.numel() * module.weight[0].numel()
    if isinstance(module, nn.ConvTranspose2d):
        return x.numel() * module.weight[0].numel()
    return 0
