"""A mutant, and a test of whether its fault has any effect on a net."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.parity.float64 import Float64Convolutions

Run = Callable[[Tensor], Tensor]
Edit = Callable[[StyleNet], None]
# Runs the net on an image with a fault.
Wrapper = Callable[[Run, Tensor], Tensor]


@dataclass(frozen=True)
class Mutant:
    """A fault.

    Attributes:
        name: a short name for tables.
        edit: changes the weights of a copy of the net in place, or None.
        wrap: runs the net in place of its ``forward``, or None.
    """

    name: str
    edit: Edit | None = None
    wrap: Wrapper | None = None

    def of(self, net: StyleNet) -> StyleNet:
        """Return a copy of ``net`` with the fault, which claims to be of the same checkpoint."""
        faulty = copy.deepcopy(net)
        if self.edit:
            with torch.no_grad():
                self.edit(faulty)
        return _Faulty(faulty, self.wrap) if self.wrap else faulty


class _Faulty(StyleNet):
    def __init__(self, net: StyleNet, wrap: Wrapper) -> None:
        super().__init__(net.net, net.contract, net.origin, net.convention)
        self._wrap = wrap
        for module in self.net.modules():
            _hide(module)

    def forward(self, x: Tensor) -> Tensor:
        """Stylise (B, 3, H, W) in 0..255, with the fault."""
        return self._wrap(super().forward, x)


def _hide(module: nn.Module) -> None:
    """Rename the class of one of torch's pads, ReLUs or upsamplings, with the same content.

    For a class that it knows, a converter that reads traces (pnnx) writes what the class is
    documented to do, not the calls that were traced, which would remove the fault.
    """
    kind = type(module)
    if kind.__module__.startswith("torch.nn.") and not list(module.parameters()):
        module.__class__ = type(f"Faulty{kind.__name__}", (kind,), {"__module__": __name__})


def effect(mutant: Mutant, net: StyleNet, batches: Iterable[Floats]) -> float:
    """Return the largest difference that a fault makes in float64, in units of 0..255.

    Some faults have no effect on some nets: a constant added to the picture is cancelled by a
    reflecting pad, a convolution and an instance norm; a net without residual blocks has no sum to
    drop.
    """
    right, wrong = copy.deepcopy(net).double(), mutant.of(copy.deepcopy(net).double())
    largest = 0.0
    with torch.inference_mode(), Float64Convolutions():
        for batch in batches:
            image = torch.from_numpy(batch).double()
            error = (right(image) - wrong(image)).abs().max().item()
            largest = max(largest, error)
    return largest
