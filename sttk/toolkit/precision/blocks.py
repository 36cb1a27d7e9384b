"""The blocks of a style net to which a plan can assign a precision.

A block is a convolution, or a group of several, with the norm after it.
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
    """A block of a style net.

    Attributes:
        modules: names of modules in the style net; the first names the block, such as
            ``net.conv1``.
    """

    modules: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the module that is or contains the block's first convolution."""
        return self.modules[0]

    def entries(self, precision: Precision) -> dict[str, Precision]:
        """Return the entries of a plan that put the block in a precision."""
        return dict.fromkeys(self.modules, precision)


def blocks_of(net: StyleNet) -> tuple[Block, ...]:
    """Return the blocks of any net in the order of its modules, which is that of execution.

    The net's children, and the children of lists, are visited one by one. A child that contains a
    convolution begins a block; one that does not (a norm, pad or sum) belongs to the block before
    it, or to the first one.
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
