"""Torch7's modules as torch's: each class of ``nn`` that style nets are made of.

A module's fields are those of its Lua class (torch/nn, jcjohnson/fast-neural-style). Its tensors
give its sizes; what it is told beside them is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from sttk.toolkit.checkpoints.running import Statistics, folded
from sttk.toolkit.io.torch7 import Instance
from sttk.toolkit.nets.tree import Shave, Sum, Times

_MOST_MODULES = 1000
_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def set_weights(module: nn.Module, weight: Tensor, bias: Tensor | None) -> None:
    """Give a module its weight and bias, whatever it had."""
    module.register_parameter("weight", _fixed(weight))
    module.register_parameter("bias", None if bias is None else _fixed(bias))


def _fixed(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values.detach().contiguous(), requires_grad=False)


class Builder:
    """The way from a tree of Torch7's modules to one of torch's; it counts what it makes."""

    def __init__(self) -> None:
        self.modules = 0
        self.kinds: dict[str, Callable[[_Node], nn.Module]] = {
            "Sequential": self._sequential,
            "SpatialReflectionPadding": lambda node: nn.ReflectionPad2d(node.pads()),
            "SpatialReplicationPadding": lambda node: nn.ReplicationPad2d(node.pads()),
            "SpatialZeroPadding": lambda node: nn.ZeroPad2d(node.pads()),
            "SpatialConvolution": _convolution,
            "SpatialConvolutionMM": _convolution,
            "SpatialFullConvolution": _full_convolution,
            "SpatialUpSamplingNearest": _upsampling,
            "SpatialBatchNormalization": _batch_norm,
            "InstanceNormalization": _instance_norm,
            "ShaveImage": lambda node: Shave(node.whole("size")),
            "MulConstant": lambda node: Times(node.number("constant_scalar")),
            "ReLU": lambda _: nn.ReLU(),
            "Tanh": lambda _: nn.Tanh(),
            "Identity": lambda _: nn.Identity(),
            "Dropout": lambda _: nn.Identity(),
            "TotalVariation": lambda _: nn.Identity(),  # a loss, which passes its input on
        }

    def module(self, instance: Any) -> nn.Module:
        """Return the module that stands for an instance and those below it."""
        self.modules += 1
        if self.modules > _MOST_MODULES:  # one that holds itself has no end
            raise ValueError(f"more than {_MOST_MODULES} modules")
        node = _Node(instance)
        if node.kind not in self.kinds:
            raise ValueError(f"a module {node.kind}, which sttk does not know")
        return self.kinds[node.kind](node)

    def _sequential(self, node: _Node) -> nn.Module:
        layers: list[nn.Module] = []
        children = [_Node(child) for child in node.children()]
        for place, child in enumerate(children):
            adds = place + 1 < len(children) and children[place + 1].kind == "CAddTable"
            if child.kind == "ConcatTable" and adds:
                layers.append(self._sum(child))
            elif child.kind != "CAddTable" or place == 0 or not isinstance(layers[-1], Sum):
                layers.append(self.module(child.instance))
        return nn.Sequential(*_without_statistics(layers))

    def _sum(self, node: _Node) -> nn.Module:
        branches = [self.module(child) for child in node.children()]
        if len(branches) != 2:
            raise ValueError(f"a sum of {len(branches)} branches")
        return Sum(*branches)


class _Node:
    """An instance's fields, each checked."""

    def __init__(self, instance: Any) -> None:
        if not isinstance(instance, Instance):
            raise ValueError("something that is no module among its modules")  # noqa: TRY004
        self.instance = instance
        self.fields = instance.fields
        self.kind = instance.kind.removeprefix("nn.").removeprefix("cudnn.")

    def children(self) -> list[Any]:
        table = self.fields.get("modules")
        if not isinstance(table, dict) or len(table) > _MOST_MODULES:
            raise ValueError(f"{self.kind} without modules")
        return [table[float(number)] for number in range(1, len(table) + 1)]

    def number(self, name: str, default: float | None = None) -> float:
        value = self.fields.get(name, default)
        if not isinstance(value, float) or not abs(value) < 1e9:
            raise ValueError(f"{self.kind} with {name} of {value!r}")
        return value

    def whole(self, name: str, default: float | None = None, most: int = 4096) -> int:
        value = self.number(name, default)
        if value != int(value) or not 0 <= value <= most:
            raise ValueError(f"{self.kind} with {name} of {value}")
        return int(value)

    def pads(self) -> tuple[int, int, int, int]:
        left, right, top, bottom = (self.whole(f"pad_{side}") for side in "lrtb")
        return left, right, top, bottom

    def pair(self, name: str, default: float | None = None) -> tuple[int, int]:
        """Return the vertical and the horizontal value, such as kH and kW."""
        return self.whole(f"{name}H", default), self.whole(f"{name}W", default)

    def tensor(self, name: str) -> Tensor:
        value = self.fields.get(name)
        if not isinstance(value, np.ndarray) or value.size == 0:
            raise ValueError(f"{self.kind} without {name}")
        return torch.from_numpy(value.astype(np.float32))

    def maybe(self, name: str) -> Tensor | None:
        return self.tensor(name) if self.fields.get(name) is not None else None


def _convolution(node: _Node) -> nn.Module:
    weight, (high, wide) = node.tensor("weight"), node.pair("k")
    groups = node.whole("groups", 1.0)
    if weight.ndim == 2:  # SpatialConvolutionMM's: a matrix
        weight = weight.reshape(len(weight), -1, high, wide)
    if weight.ndim != 4 or tuple(weight.shape[2:]) != (high, wide) or not groups:
        raise ValueError(f"a convolution with weights of shape {list(weight.shape)}")
    out, channels = weight.shape[:2]
    with torch.device("meta"):
        made = nn.Conv2d(channels * groups, out, (high, wide), node.pair("d", 1.0), groups=groups)
    made.padding = node.pair("pad", 0.0)
    set_weights(made, weight, node.maybe("bias"))
    return made


def _full_convolution(node: _Node) -> nn.Module:
    weight, (high, wide) = node.tensor("weight"), node.pair("k")
    if weight.ndim != 4 or tuple(weight.shape[2:]) != (high, wide):
        raise ValueError(f"a full convolution with weights of shape {list(weight.shape)}")
    channels, out = weight.shape[:2]
    with torch.device("meta"):
        made = nn.ConvTranspose2d(
            channels, out, (high, wide), node.pair("d", 1.0), node.pair("pad", 0.0),
            node.pair("adj", 0.0),
        )  # fmt: skip
    set_weights(made, weight, node.maybe("bias"))
    return made


def _upsampling(node: _Node) -> nn.Module:
    return nn.Upsample(scale_factor=float(node.whole("scale_factor", most=16)), mode="nearest")


def _instance_norm(node: _Node) -> nn.Module:
    weight, bias = node.tensor("weight"), node.tensor("bias")
    with torch.device("meta"):
        made = nn.InstanceNorm2d(weight.numel(), node.number("eps", 1e-5), affine=True)
    set_weights(made, weight, bias)
    return made


def _batch_norm(node: _Node) -> nn.Module:
    mean, epsilon = node.tensor("running_mean"), node.number("eps", 1e-5)
    if "running_var" in node.fields:
        var = node.tensor("running_var")
    else:  # nn.BatchNormalization's version 1: 1 / sqrt(var + eps)
        var = node.tensor("running_std").double().pow(-2).sub(epsilon).float()
    weight, bias = node.maybe("weight"), node.maybe("bias")
    with torch.device("meta"):
        made = nn.BatchNorm2d(mean.numel(), epsilon)
    set_weights(made, torch.ones_like(mean) if weight is None else weight,
         torch.zeros_like(mean) if bias is None else bias)  # fmt: skip
    made.running_mean, made.running_var = mean.contiguous(), var.contiguous()
    made.num_batches_tracked = torch.tensor(0)
    return made


def _without_statistics(layers: list[nn.Module]) -> list[nn.Module]:
    """Return the layers with each batch norm moved into the convolution before it."""
    left: list[nn.Module] = []
    for layer in layers:
        before = left[-1] if left else None
        if isinstance(layer, nn.BatchNorm2d) and isinstance(before, _CONVOLUTIONS):
            turned = isinstance(before, nn.ConvTranspose2d)
            bias = torch.zeros(before.out_channels) if before.bias is None else before.bias
            mean, var = (cast("Tensor", each) for each in (layer.running_mean, layer.running_var))
            norm = Statistics(mean, var, layer.weight, layer.bias, layer.eps)
            set_weights(before, *folded(before.weight, bias, norm, transposed=turned))
        else:
            left.append(layer)
    return left
