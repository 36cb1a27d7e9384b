"""What an ncnn model says: its layers, with the numbers that its ``.bin`` holds for each.

The ``.bin`` has no names and no sizes: each layer reads its own numbers in the order of the graph.
So a layer whose numbers are not known here ends the reading. Before the weights of a convolution
stands a tag that says their type; other numbers are float32 and have none (ncnn's
``modelbin.cpp``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from sttk.toolkit.io.files import read_bounded
from sttk.toolkit.targets import structure
from sttk.toolkit.targets.ncnn.runner import MOST_WEIGHTS, graph
from sttk.toolkit.targets.structure import Array, Forms, NotReadError, Operation, Stored, Structure

_FLOAT16, _INT8 = 0x01306B47, 0x000D4B38
_FUNCTIONS = {"TanH": "tanh", "Sigmoid": "sigmoid"}
_PAD_MODES = {0: "zeros", 1: "edge", 2: "reflect"}
_RESIZE_MODES = {1: "nearest", 2: "linear", 3: "cubic"}
# They have no numbers in the .bin, and none that are compared.
_PLAIN = {"Input", "Split", "BinaryOp", "UnaryOp", "Concat", "Noop", "Dropout"}
# pnnx writes numbers with seven digits.
_PRINTED = 1e-6
_ARRAY = 23300
_OPEN = (-233, 2147483647)


class _Layer:
    """A layer's line: its kind, its name, and its parameters by number."""

    def __init__(self, words: list[str]) -> None:
        self.kind, self.name = words[:2]
        given = (word.split("=", 1) for word in words[4:] if re.match(r"-?\d+=", word))
        self._given = {int(key): value for key, value in given}

    def number(self, key: int, default: int = 0) -> int:
        """Return a whole parameter."""
        return int(self._given.get(key, default))

    def real(self, key: int, default: float = 0.0) -> float:
        """Return a real parameter."""
        return float(self._given.get(key, default))

    def array(self, key: int) -> list[float]:
        """Return an array, such as the 1, 2 of ``-23309=2,1,2``."""
        count, *values = self._given.get(-_ARRAY - key, "0").split(",")
        if int(count) != len(values):
            raise NotReadError(f"{self.name}: an array of {count}")
        return [float(value) for value in values]


class _Weights:
    """The ``.bin``, read from its start."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    @property
    def rest(self) -> int:
        """The number of bytes that are not read yet."""
        return len(self._content) - self._at

    def take(self, count: int, kind: str = "<f4") -> Array:
        """Return numbers of a type, which end at a multiple of four bytes."""
        size = count * np.dtype(kind).itemsize
        if count < 0 or size > self.rest:
            raise NotReadError("the .bin ends before the layers do")
        found: Array = np.frombuffer(self._content, kind, count, self._at)
        self._at += size + -size % 4
        return found

    def tagged(self, count: int) -> tuple[Array, bool]:
        """Return weights, and whether they are int8."""
        tag = int(self.take(1, "<u4")[0])
        kinds = {0: "<f4", _FLOAT16: "<f2", _INT8: "i1"}
        if tag not in kinds:
            raise NotReadError(f"weights with the tag {tag:#x}")
        return self.take(count, kinds[tag]), tag == _INT8


def read(path: Path) -> Structure:
    """Read a model's layers.

    Raises:
        ArtifactError: it is not an ncnn graph.
        NotReadError: the weights are missing, or a layer's are not known here.
    """
    lines = graph(path)
    try:
        weights = _Weights(read_bounded(path.with_suffix(".bin"), MOST_WEIGHTS))
        structure.check_bounds(lines, [])
        operations = [each for words in lines for each in _layer(_Layer(words), weights)]
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise NotReadError(" ".join(str(error).split())[:200]) from error
    if weights.rest:
        raise NotReadError(f"{weights.rest} bytes of the .bin are no layer's")
    return Structure(operations, forms=Forms(symmetric=True))


def _layer(layer: _Layer, weights: _Weights) -> Iterator[Operation]:
    if layer.kind in _READERS:
        yield _READERS[layer.kind](layer, weights)
    elif layer.kind in _FUNCTIONS:
        yield structure.activation(layer.name, _FUNCTIONS[layer.kind])
    elif layer.kind not in _PLAIN:
        raise NotReadError(f"a layer {layer.kind}")
    if layer.kind in _CONVOLUTIONS:
        yield from _fused(layer)


def _convolution(layer: _Layer, weights: _Weights) -> Operation:
    transposed = layer.kind.startswith("Deconvolution")
    out, groups = layer.number(0), max(1, layer.number(7, 1))
    columns, across, right, left = (layer.number(key, 1 if key < 4 else 0) for key in (1, 2, 3, 4))
    rows, down, below = layer.number(11, columns), layer.number(12, across), layer.number(13, right)
    top = layer.number(14, left)
    pads = [top, left, layer.number(16, top), layer.number(15, left)]
    if min(pads) < 0 or layer.real(18 if not transposed else 28):
        raise NotReadError(f"{layer.name}: pads that depend on the size")
    if transposed:
        pads = [pads[0], pads[1], pads[2] - layer.number(19), pads[3] - layer.number(18)]
    count = layer.number(6)
    channels = count // max(1, out * rows * columns)
    values, whole = weights.tagged(count)
    bias = structure.stored(weights.take(out)) if layer.number(5) else None
    weight = values.reshape(out, channels, rows, columns)
    found = _scaled(layer, weights, weight) if layer.number(8) else structure.stored(weight)
    if whole != bool(layer.number(8)):
        raise NotReadError(f"{layer.name}: int8 weights and no scales, or scales and none")
    if transposed:
        found = found.moved(lambda array: _turned(array, groups))
    return structure.convolution(
        layer.name, found, bias, stride=(below, right), pads=pads, dilation=(down, across),
        groups=groups, transposed=transposed,
    )  # fmt: skip


def _turned(array: Array, groups: int) -> Array:
    """Turn (D, C / groups, K, K), in which ncnn keeps a transposed one, to torch's layout."""
    out, channels, *kernel = array.shape
    parts = array.reshape(groups, out // groups, channels, *kernel).swapaxes(1, 2)
    found: Array = parts.reshape(groups * channels, out // groups, *kernel)
    return found


def _scaled(layer: _Layer, weights: _Weights, whole: Array) -> Stored:
    """Return int8 weights as numbers, and read the scales that follow the bias."""
    depthwise = layer.kind.endswith("DepthWise")
    term = layer.number(8)
    count = (
        1 if depthwise and term % 100 == 2 else layer.number(7, 1) if depthwise else whole.shape[0]
    )
    factors = weights.take(count).astype(np.float64)
    weights.take(1 + (term > 100))  # the input's, and the output's
    if not np.all(factors > 0):
        raise NotReadError(f"{layer.name}: scales that are not positive")
    return structure.quantised(whole, structure.along(1 / factors, 0, 4))


def _fused(layer: _Layer) -> Iterator[Operation]:
    """Yield the activation that is a part of a convolution."""
    kind, numbers = layer.number(9), layer.array(10)
    if kind == 1:
        yield structure.activation(layer.name, "relu")
    elif kind == 2:
        yield structure.activation(layer.name, "leaky relu", slope=numbers[0])
    elif kind == 3:
        yield structure.activation(layer.name, "clamp", low=numbers[0], high=numbers[1])
    elif kind == 4:
        yield structure.activation(layer.name, "sigmoid")
    elif kind:
        raise NotReadError(f"{layer.name}: activation {kind}")


def _norm(layer: _Layer, weights: _Weights) -> Operation:
    channels, epsilon = layer.number(0), Stored(np.array([layer.real(1, 0.001)]), _PRINTED)
    gain, bias = (
        (structure.stored(weights.take(channels)) for _ in range(2))
        if layer.number(2, 1)
        else (Stored(np.ones(channels)), Stored(np.zeros(channels)))
    )
    return structure.norm(layer.name, gain, bias, epsilon)


def _batch_norm(layer: _Layer, weights: _Weights) -> Operation:
    slope, mean, variance, bias = (
        structure.stored(weights.take(layer.number(0))) for _ in range(4)
    )
    return structure.batch_norm(layer.name, (slope, bias, mean, variance), layer.real(1))


def _pad(layer: _Layer, weights: _Weights) -> Operation:
    del weights
    top, bottom, left, right = (layer.number(key) for key in range(4))
    other = layer.real(5) or any(layer.number(key) for key in (6, 7, 8))
    if min(top, bottom, left, right) < 0 or other:
        raise NotReadError(f"{layer.name}: pads of channels, or with a number")
    return structure.pad(layer.name, _PAD_MODES[layer.number(4)], (top, left, bottom, right))


def _crop(layer: _Layer, weights: _Weights) -> Operation:
    """Read a crop with arrays: starts, ends and axes of (C, H, W)."""
    del weights
    starts, ends, axes = ([int(each) for each in layer.array(key)] for key in (9, 10, 11))
    sides = [0, 0, 0, 0]
    for first, past, axis in zip(starts, ends, axes, strict=True):
        whole = past in _OPEN
        if axis % 3 < 1 or first < 0 or (past > 0 and not whole) or not axes:
            raise NotReadError(f"{layer.name}: no crop of both sides")
        sides[axis % 3 - 1], sides[axis % 3 + 1] = first, 0 if whole else -past
    if not axes:
        raise NotReadError(f"{layer.name}: a crop by other numbers")
    return structure.crop(layer.name, sides)


def _resize(layer: _Layer, weights: _Weights) -> Operation:
    del weights
    if layer.number(3) or layer.number(4):
        raise NotReadError(f"{layer.name}: an upsampling to a size")
    return structure.resize(
        layer.name, _RESIZE_MODES[layer.number(0)], (layer.real(1, 1.0), layer.real(2, 1.0))
    )


def _shuffle(layer: _Layer, weights: _Weights) -> Operation:
    del weights
    if layer.number(1):
        raise NotReadError(f"{layer.name}: the phase lies before the channel")
    return structure.shuffle(layer.name, layer.number(0, 1))


def _relu(layer: _Layer, weights: _Weights) -> Operation:
    del weights
    slope = layer.real(0)
    if slope:
        return structure.activation(layer.name, "leaky relu", slope=slope)
    return structure.activation(layer.name, "relu")


def _clip(layer: _Layer, weights: _Weights) -> Operation:
    del weights
    return structure.activation(layer.name, "clamp", low=layer.real(0), high=layer.real(1))


_CONVOLUTIONS = (
    "Convolution", "ConvolutionDepthWise", "Deconvolution", "DeconvolutionDepthWise",
)  # fmt: skip
_READERS: dict[str, Callable[[_Layer, _Weights], Operation]] = {
    **dict.fromkeys(_CONVOLUTIONS, _convolution),
    "InstanceNorm": _norm,
    "BatchNorm": _batch_norm,
    "Padding": _pad,
    "Crop": _crop,
    "Interp": _resize,
    "PixelShuffle": _shuffle,
    "ReLU": _relu,
    "Clip": _clip,
}
