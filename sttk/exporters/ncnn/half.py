"""Feature masks, by which a model keeps its promise where ncnn computes in float16 by itself.

ncnn's defaults are float16 on ARM CPUs from ARMv8.2 on and on GPUs, whatever the precision of the
file. A layer's mask says what ncnn must not do there (``targets/ncnn/masks.py``). A float32 or int8
model says in every layer that it must neither compute nor store in float16. ncnn does not convert
tensors between such a layer and others on a GPU, where the picture would be noise, so these layers
also say that they run on the CPU.

A float16 model computes in float16 on either, except for what makes it fall short:

- The first and the last blocks, and those that its plan puts in float32, add up in float32
  (``toolkit/precision/boundary.py``). Their tensors are stored in float16.
- 3x3 convolutions of stride 1 are not computed by Winograd's algorithm. On ARM, ncnn takes
  F(6x6, 3x3) for them, whose transforms in float16 cost more than all else in the trunk.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import count

from torch import nn

from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.precision.boundary import boundary_blocks
from sttk.toolkit.targets.ncnn.masks import (
    FLOAT32,
    MASK,
    NO_HALF_ARITHMETIC,
    NO_WINOGRAD,
    mask_of,
)

_FIRST = 3  # the line after magic, counts and input
_CONVOLUTIONS = (
    "Convolution",
    "ConvolutionDepthWise",
    "Deconvolution",
    "DeconvolutionDepthWise",
)
_COMPUTING = (*_CONVOLUTIONS, "InstanceNorm")
_MODULES = (nn.Conv2d, nn.ConvTranspose2d)


def masked(param: str, net: nn.Module, plan: Plan, boundary: Collection[str]) -> str:
    """Return a graph with a mask in each layer that float16 would harm.

    Args:
        param: the graph, as pnnx wrote it.
        net: the traced net.
        plan: the precision of each block.
        boundary: the names of the modules in the first and last blocks.
    """
    lines = param.rstrip("\n").split("\n")
    if plan.default != "fp16":
        masks = dict.fromkeys(range(_FIRST, len(lines)), FLOAT32)
    else:
        sums = _float32_sums(lines, net, plan, boundary)
        masks = {
            number: NO_HALF_ARITHMETIC * (number in sums) | NO_WINOGRAD * _by_winograd(line)
            for number, line in enumerate(lines)
        }
    marked = (f" {MASK}={masks[number]}" if masks.get(number) else "" for number in count())
    return "".join(f"{line.rstrip()}{mark}\n" for line, mark in zip(lines, marked, strict=False))


def boundary_modules(net: StyleNet) -> tuple[str, ...]:
    """Return the names of the modules of a net's first and last blocks."""
    return tuple(name for block in boundary_blocks(net) for name in block.modules)


def facts(param: str, plan: Plan) -> dict[str, str | int]:
    """Return what the manifest says of a graph's masks."""
    if plan.default != "fp16":
        return {"arithmetic": "float32 on the CPU, whatever ncnn's options are"}
    masks = [mask_of(line.split()) for line in param.split("\n")]
    counts = {
        "layers that add up in float32": NO_HALF_ARITHMETIC,
        "convolutions without Winograd": NO_WINOGRAD,
    }
    return {name: sum(bool(mask & bit) for mask in masks) for name, bit in counts.items()}


def _float32_sums(
    lines: list[str], net: nn.Module, plan: Plan, boundary: Collection[str]
) -> frozenset[int]:
    """Return the numbers of the lines whose sums must be in float32.

    The convolutions of a graph are those of the net, in the same order; a norm belongs to the
    convolution before it. Where pnnx made another number of convolutions (of a net that it has
    optimised), nothing tells which is which, and all layers are returned.
    """
    names = [name for name, module in net.named_modules() if isinstance(module, _MODULES)]
    kinds = {number: line.split(" ", 1)[0] for number, line in enumerate(lines)}
    computing = [number for number, kind in kinds.items() if kind in _COMPUTING]
    if sum(kinds[number] in _CONVOLUTIONS for number in computing) != len(names):
        return frozenset(computing)
    return frozenset(_of_wide(computing, kinds, names, _is_wide(plan, boundary)))


def _of_wide(
    computing: list[int],
    kinds: Mapping[int, str],
    names: list[str],
    is_wide: Callable[[str], bool],
) -> Iterator[int]:
    following, inside = iter(names), False
    for number in computing:
        if kinds[number] in _CONVOLUTIONS:
            inside = is_wide(next(following))
        if inside:
            yield number


def _is_wide(plan: Plan, boundary: Collection[str]) -> Callable[[str], bool]:
    """Return a function that says whether a module's sums must be in float32."""

    def is_wide(name: str) -> bool:
        bounded = any(f"{name}.".startswith(f"{module}.") for module in boundary)
        return bounded or plan.of(name) == "fp32"

    return is_wide


def _by_winograd(line: str) -> bool:
    """Whether ncnn may compute the layer by Winograd's algorithm: 3x3, stride and dilation 1."""
    found = _parameters(line)
    width = [found.get("1"), found.get("2", "1"), found.get("3", "1")]
    height = [found.get(key, same) for key, same in zip(("11", "12", "13"), width, strict=True)]
    return line.split(" ", 1)[0] == "Convolution" and width == height == ["3", "1", "1"]


def _parameters(line: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in line.split() if "=" in word)
