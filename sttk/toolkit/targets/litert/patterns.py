"""The patterns by which a TFLite graph expresses what it has no operator for.

They are those of ``exporters/litert``: an instance norm as means and products, a pad as slices
joined to the picture, and an upsampling as copies of the channels and a depth to space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sttk.toolkit.targets import structure
from sttk.toolkit.targets.litert.file import File, Operator
from sttk.toolkit.targets.structure import NotReadError, Operation

_ROWS_AND_COLUMNS = [1, 2]


@dataclass(frozen=True)
class Pattern:
    """A pattern: its operation, the operators that it is made of, and the tensor that it reads."""

    operation: Operation
    parts: tuple[Operator, ...]
    source: int


def norm(file: File, add: Operator) -> Pattern | None:
    """Match (x - mean) a + beta, a = gain / sqrt(mean((x - mean)^2) + epsilon), bounded or not."""
    product = file.maker(add.inputs[0], "MUL") if add.kind == "ADD" else None
    centred = file.maker(product.inputs[0], "SUB") if product else None
    scale = file.maker(product.inputs[1], "MUL") if product else None
    root = _root(file, scale.inputs[0]) if scale else None
    if not (product and centred and scale and root and file.is_stored(add.inputs[1])):
        return None
    parts, epsilon = root
    mean, square = parts[0], parts[1]
    source = centred.inputs[0]
    if centred.inputs != [source, mean.output] or square.inputs != centred.inputs:
        return None
    if mean.inputs[0] != source:
        return None
    found = structure.norm(
        file.name(add.output), file.weights(scale.inputs[1]), file.weights(add.inputs[1]),
        structure.number(epsilon),
    )  # fmt: skip
    return Pattern(found, (product, centred, scale, *parts), source)


def _root(file: File, tensor: int) -> tuple[tuple[Operator, ...], float] | None:
    """Match 1 / sqrt(mean((x - mean)^2) + epsilon); return its operators, the mean first."""
    bound = file.maker(tensor, "MINIMUM")
    root = file.maker(bound.inputs[0] if bound else tensor, "RSQRT")
    total = file.maker(root.inputs[0], "ADD") if root else None
    variance = file.maker(total.inputs[0], "MEAN") if total else None
    square = file.maker(variance.inputs[0], "SQUARED_DIFFERENCE") if variance else None
    mean = file.maker(square.inputs[1], "MEAN") if square else None
    if not (root and total and variance and square and mean):
        return None
    if any(sorted(file.numbers(each.inputs[1])) != _ROWS_AND_COLUMNS for each in (mean, variance)):
        return None
    (epsilon,) = file.array(total.inputs[1]).reshape(-1)
    if bound and float(file.array(bound.inputs[1]).reshape(-1)[0]) ** 2 * epsilon < 1:
        return None  # it is less than some roots are
    return (mean, square, variance, total, root, *([bound] if bound else [])), epsilon


def affine(file: File, add: Operator) -> Pattern | None:
    """Match x a + b with constants a and b for each channel: a batch norm."""
    product = file.maker(add.inputs[0], "MUL") if add.kind == "ADD" else None
    if (
        product is None
        or not file.is_stored(product.inputs[1])
        or not file.is_stored(add.inputs[1])
    ):
        return None
    gain, bias = file.weights(product.inputs[1]), file.weights(add.inputs[1])
    if gain.values.size != bias.values.size or gain.values.size < 2:
        return None
    one, zero = (
        structure.Stored(np.full(gain.values.size, each, np.float32)) for each in (1.0, 0.0)
    )
    name = file.name(add.output)
    flat = [each.moved(lambda array: array.reshape(-1)) for each in (gain, bias)]
    found = structure.batch_norm(name, [*flat, zero, one], 0.0)
    return Pattern(found, (product,), product.inputs[0])


def pad(file: File, join: Operator) -> Pattern | None:
    """Match lines of x before and after x: a reflection, or the edge repeated."""
    axis = join.options.get("axis")
    if join.kind != "CONCATENATION" or axis not in _ROWS_AND_COLUMNS:
        return None
    pieces, joins = _flattened(file, join, axis)
    slices = [file.maker(each, "STRIDED_SLICE") for each in pieces]
    sources = {each.inputs[0] for each in slices if each}
    whole = [index for index, piece in enumerate(pieces) if piece in sources]
    if len(sources) != 1 or len(whole) != 1:
        return None
    found = [each for each in slices if each and each.inputs[0] in sources]
    lines = [_line(file, each, axis) for each in found]
    before, after = lines[: whole[0]], lines[whole[0] :]
    sides = len(before), len(after)
    mode = next(
        (name for name, heads, tails in _modes(*sides) if (before, after) == (heads, tails)), ""
    )
    if not mode or len(found) != len(pieces) - 1:
        return None
    amounts = (sides[0], 0, sides[1], 0) if axis == 1 else (0, sides[0], 0, sides[1])
    operation = structure.pad(file.name(join.output), mode, amounts)
    return Pattern(operation, (*joins, *found), sources.pop())


def _modes(before: int, after: int) -> list[tuple[str, list[int], list[int]]]:
    return [
        ("reflect", list(range(before, 0, -1)), list(range(-2, -2 - after, -1))),
        ("edge", [0] * before, [-1] * after),
    ]


def _flattened(file: File, join: Operator, axis: int) -> tuple[list[int], list[Operator]]:
    """Return what is joined, by one operator or by several in a row, and these others."""
    pieces = list(join.inputs)
    joins: list[Operator] = []
    while pieces and (first := file.maker(pieces[0], "CONCATENATION")):
        alone = len(file.readers.get(first.output, ())) == 1
        if not alone or first.options.get("axis") != axis or len(joins) > len(file.operators):
            break
        pieces[:1] = first.inputs
        joins.append(first)
    return pieces, joins


def _line(file: File, cut: Operator, axis: int) -> int:
    """Return the index of the one line along ``axis`` that a slice takes, or raise."""
    bounds = bounds_of(file, cut)
    first, past = bounds.pop(axis, (0, None))
    if bounds or (past is not None and past != first + 1) or (past is None and first != -1):
        raise NotReadError("a slice of several lines")
    return first


def bounds_of(file: File, cut: Operator) -> dict[int, tuple[int, int | None]]:
    """Return the (first, past) of each axis that a slice cuts; past is None for the end.

    Raises:
        NotReadError: it has steps, or drops axes.
    """
    begins, ends, steps = (file.numbers(each) for each in cut.inputs[1:4])
    masks = [
        cut.options[f"{key}Mask"] for key in ("begin", "end", "ellipsis", "newAxis", "shrinkAxis")
    ]
    if set(steps) != {1} or any(masks[2:]) or len(begins) != 4:
        raise NotReadError("a slice of another kind")
    found: dict[int, tuple[int, int | None]] = {}
    for axis in range(4):
        first = 0 if masks[0] >> axis & 1 else begins[axis]
        past = None if masks[1] >> axis & 1 else ends[axis]
        if first or past is not None:
            found[axis] = first, past
    return found


def resize(file: File, shuffle: Operator) -> Pattern | None:
    """Match k^2 copies of the channels and a depth to space by k: nearest upsampling."""
    join = (
        file.maker(shuffle.inputs[0], "CONCATENATION") if shuffle.kind == "DEPTH_TO_SPACE" else None
    )
    if join is None or join.options.get("axis") != 3:
        return None
    pieces, joins = _flattened(file, join, 3)
    factor = int(shuffle.options["blockSize"])
    if len(set(pieces)) != 1 or len(pieces) != factor**2:
        return None
    found = structure.resize(file.name(shuffle.output), "nearest", (factor, factor))
    return Pattern(found, (join, *joins), pieces[0])
