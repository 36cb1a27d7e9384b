"""The contract of a net that was built from a file, found by asking the net itself.

The net runs on ``meta`` tensors, which have a shape and no values: neither memory nor time is taken
for its layers' work, and layers that do not fit each other are an error, as on a picture.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.shapes import Size

_MULTIPLES = (1, 2, 4, 8, 16)
_PROBES: tuple[Size, ...] = ((256, 256), (320, 272), (257, 270), (263, 301), (259, 268))
_LARGEST = 256


def contract_of(net: nn.Module) -> Contract:
    """Return the contract of a net (B, 3, H, W) -> (B, 3, H', W').

    Raises:
        ValueError: its pictures come back in another size, which is no multiple's.
        RuntimeError: its layers do not fit each other.
    """
    gives = {size: _size(net, size) for size in _PROBES}
    for multiple in _MULTIPLES:
        contract = Contract(size_multiple=multiple)
        if all(contract.output_size(*size) == given for size, given in gives.items()):
            return Contract(size_multiple=multiple, smallest_side=_smallest(net, contract))
    (height, width), given = next(iter(gives.items()))
    raise ValueError(f"a picture of {height}x{width} comes back in {given[0]}x{given[1]}")


def _smallest(net: nn.Module, contract: Contract) -> int:
    """Return the smallest side that the net takes; it takes all larger ones."""
    low, high = 0, _LARGEST
    while high - low > 1:
        side = (low + high) // 2
        low, high = (low, side) if _takes(net, side, contract) else (side, high)
    return high


def _takes(net: nn.Module, side: int, contract: Contract) -> bool:
    try:
        return all(
            _size(net, size) == contract.output_size(*size)
            for size in ((side, side), (side, _LARGEST), (_LARGEST, side))
        )
    except (RuntimeError, ValueError):
        return False


def _size(net: nn.Module, size: Size) -> Size:
    weights = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    shapes = {name: value.to("meta") for name, value in weights.items()}
    with torch.no_grad():
        y: Tensor = functional_call(net, shapes, (torch.empty(1, 3, *size, device="meta"),))
    if y.ndim != 4 or y.shape[:2] != (1, 3):
        raise ValueError(f"it gives a tensor of shape {list(y.shape)}, not a picture")
    return y.shape[2], y.shape[3]
