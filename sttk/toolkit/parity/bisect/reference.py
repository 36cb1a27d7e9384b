"""The expected result of each block, and the lowest SNR that a correct model can have there."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.parity.bisect.blocks import Rounding, TracedStep, run
from sttk.toolkit.parity.bisect.snr import agreement
from sttk.toolkit.quantize.fake import QuantConv
from sttk.toolkit.quantize.float8 import Float8Conv

# Bits of the significand, including the hidden one; for int8, bits of the number.
_FLOAT32 = 24
_BITS = {"fp16": 11, "bf16": 8, "int8": 8, "fp8": 4}
_DECIBELS_PER_BIT = 20 * math.log10(2)
# For a net that contains its quantisers: a change in float32's last bit may move a value to the
# next of 256 levels, and an instance norm makes that a visible step. Whether a single value moves
# is chance; with results rounded to 18 bits, enough of them move for a floor that is not.
_BITS_QUANTISED = 18
_LEVELS = 255  # steps from the lowest to the highest of int8's numbers
# Margin in dB by which a block may be worse than torch's own rounding. In float32 it allows for
# another order of sums or another convolution algorithm: OpenVINO was up to 19 dB under torch.
# Where results are rounded to fewer bits, that rounding is nearly all of the error: at most 8 dB
# were found. Both were measured over five layouts on two photographs.
_MARGIN_FLOAT, _MARGIN_ROUNDED = 24.0, 12.0
_NORM = "instance_norm"
_BEFORE_NORM = ("conv2d", "conv_transpose2d", "getitem")


@dataclass(frozen=True)
class Block:
    """One block of the reference.

    Attributes:
        name: see :class:`TracedStep`.
        module: the torch module that computes it.
        function: the torch function, such as ``conv2d``.
        expected: its result in float64, stored as float32: (B, C, H, W).
        cancelled: an instance norm reads the block next, so a constant per channel and a common
            scale do not count (:func:`agreement`).
        floor: the lowest SNR in dB that arithmetic alone can explain.
    """

    name: str
    module: str
    function: str
    expected: Floats
    cancelled: bool = False
    floor: float = math.inf


def reference_blocks(net: StyleNet, batch: Floats, precision: str) -> list[Block]:
    """Return the blocks of ``net`` on ``batch``, (B, 3, H, W) float32 in 0..255, as executed.

    A block's floor is the SNR of the same net in float32 against float64, with every result rounded
    to ``precision``, less a margin: errors of earlier blocks count, as they do in the model.
    """
    blocks: list[Block] = []

    def collect(step: TracedStep) -> None:
        blocks.append(Block(step.name, step.module, step.function, _array(step.result)))

    run(copy.deepcopy(net).double(), torch.from_numpy(batch).double(), collect)
    blocks = [replace(block, cancelled=_is_cancelled(blocks, i)) for i, block in enumerate(blocks)]
    floors: list[float] = []

    def compare(step: TracedStep) -> None:
        block = blocks[len(floors)]
        result = _array(step.result)
        floors.append(agreement(result, block.expected, cancelled=block.cancelled)[0])

    rounding, bits = _rounding(net, precision)
    run(_with_integer_biases(net), torch.from_numpy(batch), compare, rounding)
    margin = _MARGIN_ROUNDED if rounding else _MARGIN_FLOAT
    highest = bits * _DECIBELS_PER_BIT  # reached by a block that is exact, such as a pad
    return [
        replace(block, floor=min(floor, highest) - margin)
        for block, floor in zip(blocks, floors, strict=True)
    ]


def _array(x: Tensor) -> Floats:
    array: Floats = x.to(torch.float32, copy=True).numpy()
    return array


def _is_cancelled(blocks: list[Block], index: int) -> bool:
    """Return whether a convolution, or a slice of one, is followed by an instance norm."""
    for before, after in zip(blocks[index:], blocks[index + 1 :], strict=False):
        if before.function not in _BEFORE_NORM:
            return False
        if after.function == _NORM:
            return True
    return False


def _rounding(net: StyleNet, precision: str) -> tuple[Rounding | None, int]:
    """Return the rounding of results to ``precision``, None for float32, and the bits it leaves."""
    if any(isinstance(module, QuantConv | Float8Conv) for module in net.modules()):
        bits = _BITS_QUANTISED if precision in ("int8", "fp8") else _BITS.get(precision, _FLOAT32)
    elif precision == "int8":
        return _to_levels, _BITS["int8"]
    else:
        bits = _BITS.get(precision, _FLOAT32)
    return (partial(_to_bits, bits=bits), bits) if bits < _FLOAT32 else (None, _FLOAT32)


def _with_integer_biases(net: StyleNet) -> StyleNet:
    """Return a copy in which convolutions that round their outputs have the biases of integer ones.

    Runtimes compute these in integers, with biases that are multiples of the product of both
    scales. That is some thousandths of a level of the output, so some values round to the next.
    """
    net = copy.deepcopy(net)
    for module in net.modules():
        if isinstance(module, QuantConv) and module.output and module.conv.bias is not None:
            step = module.scale * module.scales
            module.conv.bias.data = (module.conv.bias / step).round() * step
    return net


def _to_bits(x: Tensor, bits: int) -> Tensor:
    """Round the significand to a number of bits; the exponent is unlimited."""
    significand, exponent = torch.frexp(x)
    return torch.ldexp((significand * 2**bits).round(), exponent - bits)


def _to_levels(x: Tensor) -> Tensor:
    """Round to the nearest of 256 levels from the smallest value to the largest."""
    step = ((x.max() - x.min()) / _LEVELS).clamp_min(torch.finfo(x.dtype).tiny)
    return (x / step).round() * step
