"""joshbrew/onnxruntime-web-fast-style-transfer: its nets of separable and grouped convolutions.

The keys are pytorch/examples' with parts below them: ``resblocks.0.conv1.depthwise.weight`` and
``.pointwise``, ``conv1.group_conv.weight`` and ``.pointwise_conv``, ``deconv1.expand_conv.weight``
(before a pixel shuffle) and ``.refinement_conv`` (``MobileTransformerNet`` and
``EfficientTransformerNet`` of transformer_net.py). Depthwise convolutions pad with zeros, the
others by reflection; a ReLU follows a block's sum. The values are RGB in 0..255 (neural_style.py).

Its nets of two levels are refused: they halve a picture and enlarge it four times.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from sttk.toolkit.checkpoints.layout import Loaded, Tensors
from sttk.toolkit.checkpoints.probe import contract_of
from sttk.toolkit.checkpoints.skeletons import numbered
from sttk.toolkit.checkpoints.torch7_modules import set_weights
from sttk.toolkit.nets.johnson import MOST_BLOCKS
from sttk.toolkit.nets.tree import Sum

NAME = "joshbrew-separable"
DESCRIPTION = "joshbrew's nets of separable convolutions (resblocks.0.conv1.depthwise.weight)"

_BLOCK = "resblocks.{}.conv1.depthwise.weight"


def matches(state: Tensors) -> bool:
    """Recognise the layout by the depthwise convolution of its first block."""
    weight = state.get(_BLOCK.format(0))
    return weight is not None and weight.ndim == 4 and "in1.weight" in state


def build(state: Tensors) -> Loaded:
    """Return the net as a tree of torch's modules."""
    if not any(key.startswith("conv3.") for key in state):
        raise ValueError("a net of two levels, whose picture comes back twice as large")
    blocks = numbered(state, _BLOCK, first=0)
    if blocks > MOST_BLOCKS:
        raise ValueError(f"{blocks} blocks")
    parts = _Parts(state)
    layers: list[nn.Module] = []
    for number, stride in ((1, 1), (2, 2), (3, 2)):
        layers += [*parts.layer(f"conv{number}", stride), parts.norm(f"in{number}"), nn.ReLU()]
    for block in range(blocks):
        layers += [*parts.block(f"resblocks.{block}"), nn.ReLU()]
    for number in (1, 2):
        up = parts.layer(f"deconv{number}", up=2)
        layers += [*up, parts.norm(f"in{3 + number}"), nn.ReLU()]
    layers += parts.layer("deconv3")
    if left := [key for key in state if key not in parts.used]:
        raise KeyError(f"unexpected key {left[0]}")
    net = nn.Sequential(*layers).eval()
    return Loaded(net, contract_of(net))


class _Parts:
    """The modules under a file's names, in the order in which they run.

    Attributes:
        used: the keys that were read.
    """

    def __init__(self, state: Tensors) -> None:
        self.state = state
        self.used: set[str] = set()
        self._channels = 3

    def layer(self, name: str, stride: int = 1, up: int = 1) -> list[nn.Module]:
        """Return a layer in whichever of its forms the file has it."""
        enlarged = [nn.Upsample(scale_factor=float(up), mode="nearest")] if up > 1 else []
        if f"{name}.conv2d.weight" in self.state:
            return [*enlarged, *self._padded(f"{name}.conv2d", stride)]
        if f"{name}.group_conv.weight" in self.state:
            grouped = self._padded(f"{name}.group_conv", stride)
            return [*grouped, self._convolution(f"{name}.pointwise_conv")]
        taken = self._channels
        expand = self._convolution(f"{name}.expand_conv")  # a KeyError where there is none
        factor = math.isqrt(expand.out_channels // max(1, taken))
        self._channels = expand.out_channels // max(1, factor**2)
        separable = self.separable(f"{name}.refinement_conv")
        return [expand, nn.PixelShuffle(factor), *separable]

    def block(self, name: str) -> Iterable[nn.Module]:
        """Return a residual block without the ReLU after its sum."""
        branch = nn.Sequential(
            *self.separable(f"{name}.conv1"), self.norm(f"{name}.in1"), nn.ReLU(),
            *self.separable(f"{name}.conv2"), self.norm(f"{name}.in2"),
        )  # fmt: skip
        return [Sum(branch, nn.Identity())]

    def separable(self, name: str) -> list[nn.Module]:
        """Return a depthwise convolution that pads with zeros, and a pointwise one."""
        depthwise = self._convolution(f"{name}.depthwise")
        depthwise.padding = tuple(side // 2 for side in depthwise.kernel_size)
        return [depthwise, self._convolution(f"{name}.pointwise")]

    def norm(self, name: str) -> nn.Module:
        """Return an instance norm."""
        weight, bias = (self._read(f"{name}.{part}") for part in ("weight", "bias"))
        with torch.device("meta"):
            made = nn.InstanceNorm2d(weight.numel(), affine=True)
        set_weights(made, weight, bias)
        return made

    def _padded(self, name: str, stride: int) -> list[nn.Module]:
        convolution = self._convolution(name, stride)
        return [nn.ReflectionPad2d(convolution.kernel_size[0] // 2), convolution]

    def _convolution(self, name: str, stride: int = 1) -> nn.Conv2d:
        weight, bias = (self._read(f"{name}.{part}") for part in ("weight", "bias"))
        if weight.ndim != 4 or weight.shape[1] == 0:
            raise ValueError(f"{name}.weight is no convolution's")
        groups, rest = divmod(self._channels, weight.shape[1])
        if rest or not groups or len(weight) % groups:
            raise ValueError(f"{name} does not take {self._channels} channels")
        out, _, high, wide = weight.shape
        with torch.device("meta"):
            made = nn.Conv2d(self._channels, out, (high, wide), stride, groups=groups)
        set_weights(made, weight, bias)
        self._channels = out
        return made

    def _read(self, key: str) -> torch.Tensor:
        if self.state[key].numel() == 0:
            raise ValueError(f"{key} is a tensor without values")
        self.used.add(key)
        return self.state[key].float()
