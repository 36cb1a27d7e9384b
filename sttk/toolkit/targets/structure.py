"""What a model's graph says: its operations, with their numbers, in the order of execution.

Every format's reader expresses its own operations as these. Arrays are in torch's layout: weights
(D, C / groups, K, K), those of a transposed convolution (C, D / groups, K, K).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Setting = str | int | tuple[int, ...]
Sides = tuple[int, int, int, int]  # top, left, bottom, right

CONVOLUTION, TRANSPOSED = "convolution", "transposed convolution"
NORM, BATCH_NORM = "instance norm", "batch norm"
PAD, CROP, RESIZE, SHUFFLE = "pad", "crop", "resize", "pixel shuffle"
ACTIVATION = "activation"

# A setting that the graph computes from the size of the picture, as some pads are.
COMPUTED = "computed from the picture's size"

# Half a unit in the last place, relative to the value, and for float16 below its normal numbers.
HALF_ULP = 2.0**-24
HALF_ULP_16, _LEAST_16 = 2.0**-11, 2.0**-25
# Limits of what is read of one file. Our largest net has 90 operations and 1.7 million weights.
MOST_OPERATIONS, MOST_VALUES = 1024, 1 << 26


class NotReadError(Exception):
    """A graph, or an operation of it, whose numbers cannot be read; the text says why."""


@dataclass(frozen=True, eq=False)
class Stored:
    """Numbers, and how far storing them may have moved each.

    Attributes:
        values: the numbers, as the runtime reads them, in float32 or float64.
        relative: the largest error of storage, relative to a number.
        absolute: the largest error besides, one number or an array that is broadcast.
        least: the largest error below the type's normal numbers, which no scale changes.
    """

    values: Array
    relative: float = HALF_ULP
    absolute: Array | float = 0.0
    least: float = 0.0

    @property
    def half(self) -> Stored:
        """The same numbers, which may have been rounded to float16 on their way."""
        return Stored(self.values, self.relative + HALF_ULP_16, self.absolute, _LEAST_16)

    def scaled(self, factor: Array | float, rounding: float = 0.0) -> Stored:
        """Return the numbers times ``factor``, whose product has a relative error ``rounding``."""
        return Stored(
            self.values.astype(np.float64) * factor,
            self.relative + rounding,
            self.absolute * np.abs(factor),
            self.least,
        )

    def moved(self, move: Any) -> Stored:
        """Return the numbers in another order or shape; ``move`` maps an array to that."""
        absolute = self.absolute
        if np.ndim(absolute):
            absolute = move(np.broadcast_to(absolute, self.values.shape))
        return Stored(move(self.values), self.relative, absolute, self.least)


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation of a graph.

    Attributes:
        kind: one of the constants of this module.
        name: its name in the model or the net.
        settings: whole numbers and modes, which have to be equal exactly.
        values: numbers, which have to be equal up to their storage.
    """

    kind: str
    name: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    values: Mapping[str, Stored] = field(default_factory=dict)


@dataclass(frozen=True)
class Forms:
    """The forms in which a format keeps what others keep otherwise.

    Attributes:
        phases: a transposed convolution is a convolution to the phases, a shuffle and a crop.
        symmetric: int8 convolutions have no zero points, and biases that make up for it.
        least_scale: the least scale of int8 weights.
    """

    phases: bool = False
    symmetric: bool = False
    least_scale: float = 0.0


@dataclass(frozen=True)
class Structure:
    """What a model's graph says.

    Attributes:
        operations: those that were read, in the order of execution.
        unread: what was not read, such as ``2 Gather``.
        forms: see :class:`Forms`.
    """

    operations: Sequence[Operation]
    unread: tuple[str, ...] = ()
    forms: Forms = field(default_factory=Forms)


def stored(values: Any) -> Stored:
    """Return float weights with the error of their type: float16, float32 or float64.

    Raises:
        NotReadError: they are of another type.
    """
    array = np.asarray(values)
    if array.dtype == np.float16:
        return Stored(array.astype(np.float32)).half
    if array.dtype in (np.float32, np.float64):
        return Stored(array)
    raise NotReadError(f"weights of {array.dtype}")


def quantised(whole: Array, scale: Array, zero: Array | float = 0.0) -> Stored:
    """Return integers times a scale, which explains half a step; ``scale`` is broadcast."""
    steps = np.asarray(scale, np.float64)
    return Stored((whole.astype(np.float64) - zero) * steps, 2 * HALF_ULP, np.abs(steps) / 2)


def along(values: Array, axis: int, rank: int) -> Array:
    """Reshape a vector so that it lies along one axis of ``rank``; single numbers stay."""
    flat = np.asarray(values)
    return flat.reshape(-1) if flat.size == 1 else flat.reshape(
        [-1 if i == axis % rank else 1 for i in range(rank)]
    )  # fmt: skip


def convolution(
    name: str,
    weight: Stored,
    bias: Stored | None,
    *,
    stride: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
    transposed: bool = False,
) -> Operation:
    """Return a convolution; a missing bias is one of zeros.

    Args:
        name: its name.
        weight: its weights.
        bias: its bias, (D,), or None.
        stride: down and right.
        pads: zeros at the top, left, bottom and right; for a transposed one, what is cut off its
            whole result there.
        dilation: down and right.
        groups: the number of groups.
        transposed: whether it is a transposed one.

    Raises:
        NotReadError: the weights are not of two spatial axes.
    """
    if weight.values.ndim != 4 or groups < 1:
        raise NotReadError(f"{name}: weights of shape {weight.values.shape} in {groups} groups")
    count = weight.values.shape[1] * groups if transposed else weight.values.shape[0]
    settings: dict[str, Setting] = {
        "stride": _whole(stride),
        "zero pads": _whole(pads),
        "dilation": _whole(dilation),
        "groups": int(groups),
    }
    found = bias or Stored(np.zeros(count, np.float32))
    values = {"weight": weight, "bias": found.moved(lambda array: array.reshape(-1))}
    return Operation(TRANSPOSED if transposed else CONVOLUTION, name, settings, values)


def norm(name: str, gain: Stored | None, bias: Stored | None, epsilon: Stored) -> Operation:
    """Return an instance norm; without a gain or a bias it has ones or zeros."""
    known = gain or bias
    count = known.values.size if known else 1
    values = {
        "gain": gain or Stored(np.ones(count, np.float32)),
        "bias": bias or Stored(np.zeros(count, np.float32)),
    }
    flat = {key: one.moved(lambda array: array.reshape(-1)) for key, one in values.items()}
    return Operation(NORM, name, {}, {**flat, "epsilon": epsilon})


def batch_norm(name: str, weights: Sequence[Stored], epsilon: float) -> Operation:
    """Return a batch norm with its gain, bias, mean and variance, each (C,)."""
    values = dict(zip(("gain", "bias", "mean", "variance"), weights, strict=True))
    return Operation(BATCH_NORM, name, {}, {**values, "epsilon": number(epsilon)})


def pad(name: str, mode: str, sides: Sequence[int]) -> Operation:
    """Return a pad: ``mode`` is reflect, edge or zeros, ``sides`` top, left, bottom and right."""
    return Operation(PAD, name, {"mode": mode, "sides": _whole(sides)})


def crop(name: str, sides: Sequence[int]) -> Operation:
    """Return a crop at the top, left, bottom and right."""
    return Operation(CROP, name, {"sides": _whole(sides)})


def resize(name: str, mode: str, factors: Sequence[float]) -> Operation:
    """Return an upsampling down and right; ``mode`` is nearest or linear."""
    return Operation(RESIZE, name, {"mode": mode}, {"factor": Stored(np.array(factors, float))})


def shuffle(name: str, factor: int) -> Operation:
    """Return a pixel shuffle, with the channel before the phase as in torch."""
    return Operation(SHUFFLE, name, {"factor": int(factor)})


def activation(name: str, function: str, **numbers: float) -> Operation:
    """Return an activation: ``relu``, ``leaky relu`` (slope), ``clamp`` (low, high), ..."""
    return Operation(
        ACTIVATION, name, {"function": function},
        {key: number(value) for key, value in numbers.items()},
    )  # fmt: skip


def number(value: Any) -> Stored:
    """Return one number; a NumPy value's type says how it was stored, other types are float32."""
    array = np.asarray(value).reshape(-1)[:1]
    if not array.size:
        raise NotReadError("a number that is missing")
    return stored(array) if array.dtype == np.float16 else Stored(array.astype(np.float64))


def check_bounds(operations: Sequence[Any], sizes: Iterable[int]) -> None:
    """Refuse a graph that is larger than any style net's, before its weights are converted.

    Raises:
        NotReadError: it has more operations, or more values in its weights.
    """
    if len(operations) > MOST_OPERATIONS * 8:
        raise NotReadError(f"{len(operations)} operations")
    if (total := sum(sizes)) > MOST_VALUES:
        raise NotReadError(f"{total} weights")


def _whole(numbers: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(each) for each in numbers)
