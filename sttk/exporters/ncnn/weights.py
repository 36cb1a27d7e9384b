"""The weights of an ncnn model, stored as a plan says: float32, float16 or int8.

In ``.bin`` a convolution has a tag, its weights, its bias, and for int8 the scales (ncnn's wiki,
"low-level operation api" and "quantized int8 inference"). A convolution is found by its weights'
bytes, which pnnx keeps as they are; names are not kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from sttk.exporters.ncnn.shifted import ShiftedConv
from sttk.toolkit.core.errors import ExportError
from sttk.toolkit.core.plan import Plan

_FLOAT32, _FLOAT16, _INT8 = 0, 0x01306B47, 0x000D4B38
_TAG = struct.Struct("<I")
_LAYER = "Convolution "
_INT8_TERM = "8=1"


@dataclass(frozen=True)
class _Found:
    """A convolution: its module, and the offset of its weights in the file."""

    name: str
    conv: nn.Conv2d
    parent: nn.Module
    start: int

    @property
    def end(self) -> int:
        return self.start + self.conv.weight.numel() * 4


def store(param: str, weights: bytes, net: nn.Module, plan: Plan) -> tuple[str, bytes]:
    """Return both files with each convolution's weights in the precision that the plan gives it.

    Args:
        param: the graph, as pnnx wrote it.
        weights: the float32 weights, as pnnx wrote them.
        net: the traced net, with a :class:`ShiftedConv` for each quantised convolution.
        plan: the precision of each block.

    Raises:
        ExportError: a quantised convolution's weights are not in the file.
    """
    found = sorted(_find(weights, net), key=lambda each: each.start)
    parts, done, quantised = [], 0, set()
    for index, each in enumerate(found):
        tag, data, scales = _stored(each, plan)
        bias = 4 * each.conv.out_channels if each.conv.bias is not None else 0
        parts += [weights[done : each.start - _TAG.size], _TAG.pack(tag), data]
        parts += [weights[each.end : each.end + bias], scales]
        done = each.end + bias
        if scales:
            quantised.add(index)
    parts.append(weights[done:])
    return _with_terms(param, len(found), quantised), b"".join(parts)


def _find(weights: bytes, net: nn.Module) -> Iterator[_Found]:
    for name, conv in net.named_modules():
        if not isinstance(conv, nn.Conv2d) or conv.groups != 1:
            continue
        parent = net.get_submodule(name.rpartition(".")[0])
        content = conv.weight.detach().numpy().tobytes()
        start = weights.find(_TAG.pack(_FLOAT32) + content)
        if start >= 0:
            yield _Found(name, conv, parent, start + _TAG.size)
        elif isinstance(parent, ShiftedConv):
            raise ExportError(f"{name}: its weights are not in pnnx's file")


def _stored(each: _Found, plan: Plan) -> tuple[int, bytes, bytes]:
    """Return the tag, the weights, and the data after the bias."""
    weight = each.conv.weight.detach()
    if isinstance(each.parent, ShiftedConv):
        return _INT8, _padded(_int8(weight, each.parent.scales)), _scales(each.parent)
    if plan.of(each.name) == "fp16":
        return _FLOAT16, _padded(weight.numpy().astype(np.float16).tobytes()), b""
    return _FLOAT32, weight.numpy().tobytes(), b""


def _int8(weight: Tensor, scales: Tensor) -> bytes:
    """Return the weights as int8, which is exact: they are multiples of their scales already."""
    return (weight / scales.view(-1, 1, 1, 1)).round().numpy().astype(np.int8).tobytes()


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _scales(conv: ShiftedConv) -> bytes:
    """Return the factors by which ncnn multiplies the weights, per channel, and the input."""
    of_weights = 1.0 / conv.scales.double().numpy()
    return np.append(of_weights, 1.0 / conv.scale).astype("<f4").tobytes()


def _with_terms(param: str, count: int, quantised: set[int]) -> str:
    """Mark the lines of quantised convolutions, which are in the order of their weights."""
    if not quantised:
        return param
    lines = param.split("\n")
    layers = [number for number, line in enumerate(lines) if line.startswith(_LAYER)]
    if len(layers) != count:
        raise ExportError(f"pnnx made {len(layers)} convolutions of {count}")
    for index in quantised:
        lines[layers[index]] = f"{lines[layers[index]].rstrip()} {_INT8_TERM}"
    return "\n".join(lines)
