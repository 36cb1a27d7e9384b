"""One form of each function: what exporters fold into one operation is folded on both sides.

zeros around x, then conv(x)      = conv with these zeros as its own pads
convT(x), then a crop             = convT that cuts off more
conv(x; W, b), then batch norm    = conv(x; a W, a (b - mean) + beta), a = gain / sqrt(var + eps)
a transposed convolution of stride s, where a format has none (``Forms.phases``)
                                  = conv to s^2 phases, pixel shuffle, crop
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from sttk.toolkit.targets import structure
from sttk.toolkit.targets.structure import Forms, Operation, Stored

# Products, a sum, a root and a quotient, each rounded to float32 by whoever folded.
_FOLDING, _FOLDING_16 = 8 * structure.HALF_ULP, 8 * structure.HALF_ULP_16

Rule = Callable[[Operation, Operation], Operation | None]


def canonical(operations: Sequence[Operation], forms: Forms) -> list[Operation]:
    """Return the operations in their canonical form; the model's are given with ``Forms()``."""
    split = [each for one in operations for each in (_phases(one) if forms.phases else [one])]
    done: list[Operation] = []
    for operation in split:
        if operation.kind == structure.CROP and not any(_sides(operation, "sides")):
            continue
        done.append(operation)
        while len(done) > 1 and (merged := _merged(*done[-2:])):
            done[-2:] = [merged]
    return done


def _merged(first: Operation, second: Operation) -> Operation | None:
    return next((found for rule in _RULES if (found := rule(first, second))), None)


def _sides(operation: Operation, key: str) -> tuple[int, ...]:
    found = operation.settings[key]
    return found if isinstance(found, tuple) else (0, 0, 0, 0)


def _more(operation: Operation, sides: Sequence[int]) -> Operation:
    """Return a convolution with more zeros, or with more cut off."""
    pads = tuple(a + b for a, b in zip(_sides(operation, "zero pads"), sides, strict=True))
    return dataclasses.replace(operation, settings={**operation.settings, "zero pads": pads})


def _zeros_before(first: Operation, second: Operation) -> Operation | None:
    if first.kind != structure.PAD or first.settings["mode"] != "zeros":
        return None
    if second.kind != structure.CONVOLUTION:
        return None
    if first.settings["sides"] == structure.COMPUTED:
        settings = {**second.settings, "zero pads": structure.COMPUTED}
        return dataclasses.replace(second, settings=settings)
    return _more(second, _sides(first, "sides"))


def _crop_after(first: Operation, second: Operation) -> Operation | None:
    if second.kind != structure.CROP:
        return None
    sides = _sides(second, "sides")
    if first.kind == structure.TRANSPOSED:
        return _more(first, sides)
    if first.kind == structure.CROP:
        both = zip(_sides(first, "sides"), sides, strict=True)
        return structure.crop(first.name, [a + b for a, b in both])
    return None


def _batch_norm_after(first: Operation, second: Operation) -> Operation | None:
    kinds = (structure.CONVOLUTION, structure.TRANSPOSED)
    if second.kind != structure.BATCH_NORM or first.kind not in kinds:
        return None
    keys = ("gain", "bias", "mean", "variance", "epsilon")
    gain, beta, mean, variance, epsilon = (
        second.values[key].values.astype(np.float64).reshape(-1) for key in keys
    )
    weight, bias = first.values["weight"], first.values["bias"]
    with np.errstate(all="ignore"):  # a file may hold any variance; NaN equals nothing
        a = gain / np.sqrt(variance + epsilon)
    transposed = first.kind == structure.TRANSPOSED
    if len(a) != bias.values.size or (transposed and first.settings["groups"] != 1):
        return None
    rounding = _FOLDING_16 if weight.least else _FOLDING
    shift = a * (bias.values - mean) + beta
    terms = np.abs(a) * (np.abs(bias.values) + np.abs(mean)) + np.abs(beta)
    values = {
        "weight": weight.scaled(structure.along(a, int(transposed), 4), rounding),
        "bias": Stored(shift, absolute=terms * rounding, least=bias.least),
    }
    return dataclasses.replace(first, values=values)


_RULES: tuple[Rule, ...] = (_zeros_before, _crop_after, _batch_norm_after)


def _phases(operation: Operation) -> list[Operation]:
    """Write a transposed convolution as its phases: see ``exporters/litert/net_ops.py``.

    y[s m + a] = sum over p of W[s p + a] x[m - p], for phases a and W = 0 beyond its kernel
    """
    stride = _sides(operation, "stride")[0] if operation.kind == structure.TRANSPOSED else 0
    if not stride or operation.settings["groups"] != 1:
        return [operation]
    weight = operation.values["weight"]
    reach = -(-weight.values.shape[2] // stride)
    side = reach * stride

    def moved(array: structure.Array) -> structure.Array:
        channels, out, rows, columns = array.shape
        whole = np.zeros((channels, out, side, side), array.dtype)
        whole[:, :, :rows, :columns] = array
        parts = whole.reshape(channels, out, reach, stride, reach, stride)[:, :, ::-1, :, ::-1]
        turned = parts.transpose(1, 3, 5, 0, 2, 4)
        found: structure.Array = turned.reshape(-1, channels, reach, reach)
        return found

    spread = structure.convolution(
        operation.name,
        weight.moved(moved),
        operation.values["bias"].moved(lambda array: np.repeat(array, stride**2)),
        pads=[reach - 1] * 4,
    )
    top, left, bottom, right = _sides(operation, "zero pads")
    over = side - weight.values.shape[2]
    sides = (top, left, bottom + over, right + over)
    return [
        spread,
        structure.shuffle(operation.name, stride),
        structure.crop(operation.name, sides),
    ]
