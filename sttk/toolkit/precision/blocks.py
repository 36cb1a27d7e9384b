"""The steps of a style net that a plan can tell apart: a convolution, or a block of several, with
the norm behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.style_net import StyleNet

_LISTS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


@dataclass(frozen=True)
class Block:
    """One step.

    Attributes:
        modules: names in the style net; the first is the block's own, such as ``net.conv1``.
    """

    modules: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of its first convolution, or of what holds it."""
        return self.modules[0]

    def entries(self, precision: Precision) -> dict[str, Precision]:
        """What a plan says to have it in a precision."""
        return dict.fromkeys(self.modules, precision)


def blocks_of(net: StyleNet) -> tuple[Block, ...]:
    """The steps of any net, in the order in which its modules stand, which is that of execution.

    Children of the net, those of lists one by one. Each that has a convolution in it begins a
    step; what has none (norms, pads, sums) belongs to the step before it, or to the first.
    """
    leading: list[str] = []
    found: list[list[str]] = []
    for name, module in _children("net", net.net):
        if any(isinstance(part, _CONVOLUTIONS) for part in module.modules()):
            found.append([name])
        elif found:
            found[-1].append(name)
        else:
            leading.append(name)
    if found:
        found[0].extend(leading)
    return tuple(Block(tuple(modules)) for modules in found)


def _children(prefix: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, child in module.named_children():
        path = f"{prefix}.{name}"
        if isinstance(child, _LISTS):
            yield from _children(path, child)
        else:
            yield path, child
