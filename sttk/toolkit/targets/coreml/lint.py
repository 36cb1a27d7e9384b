"""Hints on whether a package will run on the Neural Engine, whose rules Apple does not publish.

The hints are heuristic: each rule rests on experience, not on a specification, and only Xcode's
performance report on a device is reliable. Each rule's docstring is shown as its page: what the
rule looks for, why, and its limits.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sttk.toolkit.targets.coreml.interpreter import is_constant, is_half, value_of
from sttk.toolkit.targets.coreml.operations import OPERATIONS
from sttk.toolkit.targets.coreml.package import Package

_LARGEST_HALF = 65504.0
_LARGEST_INPUT = 255.0


@dataclass(frozen=True)
class Hint:
    """One finding of a rule.

    Attributes:
        rule: the rule's name.
        found: the finding, with its first place.
        page: an explanation of the rule: what it looks for, why, and its limits.
    """

    rule: str
    found: str
    page: str


def hints(package: Package, function: Any) -> tuple[Hint, ...]:
    """Return what may keep the package from the Neural Engine; no hint is no guarantee.

    Args:
        package: the package.
        function: its program, as ``load_function`` returns it.
    """
    operations = [op for op in function.operations if not is_constant(op)]
    return tuple(
        Hint(rule.__name__.replace("_", "-"), found, inspect.cleandoc(rule.__doc__ or ""))
        for rule in RULES
        for found in rule(package, operations)
    )


def unusual_operation(_package: Package, operations: list[Any]) -> Iterator[str]:
    """What: operations other than those that style nets need, ``gather`` foremost.

    Why: one operation that the engine has not splits the program, and what lies between goes to the
    CPU or GPU and back. Peers lost the engine to gathers that stood for reflection pads.

    Limits: the engine has many operations that are not on this list.
    """
    kinds = Counter(op.op_type for op in operations if op.op_type not in OPERATIONS)
    if kinds:
        yield ", ".join(f"{count} x {kind}" for kind, count in sorted(kinds.items()))


def float32_arithmetic(_package: Package, operations: list[Any]) -> Iterator[str]:
    """What: operations with a float32 result, casts at both ends left out.

    Why: the engine computes in float16 and int8 alone; float32 runs on the CPU or GPU.

    Limits: none known.
    """
    found = [op for op in operations if op.op_type != "cast" and _is_full(op.outputs[0])]
    yield from _first(found, "in float32")


def not_four_dimensions(_package: Package, operations: list[Any]) -> Iterator[str]:
    """What: results of another rank than 4.

    Why: the engine's own layout is (batch, channels, height, width); others are copied into it.

    Limits: ranks up to 5 are taken, at the cost of the copies.
    """
    yield from _first([op for op in operations if op.outputs[0].rank != 4], "not of rank 4")


def range_of_sizes(package: Package, _operations: list[Any]) -> Iterator[str]:
    """What: an input with a range of sizes.

    Why: Apple's engineers say that only the default size of a range runs on the engine, where every
    size of a list can. Export with --sizes, or one --size.

    Limits: said of iOS 17; later systems may do better.
    """
    shapes = package.input.shapes
    if shapes.kind not in ("fixed", "enumerated"):
        yield f"the input takes {shapes}"


def wide_reflection(_package: Package, operations: list[Any]) -> Iterator[str]:
    """What: reflection pads of other dimensions than height and width, or as wide as the picture.

    Why: Core ML reflects the last two dimensions only, and at most one pixel less than they have.

    Limits: sizes that are not fixed cannot be judged.
    """
    found = [op for op in operations if op.op_type == "pad" and op.mode.val == "reflect"]
    yield from _first([op for op in found if _too_wide(op)], "too wide")


def variance_beyond_half(_package: Package, operations: list[Any]) -> Iterator[str]:
    """What: a first convolution whose results can have a variance above float16's 65,504.

    Why: a device that squares in float16 gets infinity for the variance, and a flat or black
    picture (apple/coremltools#1380). Scaling the first convolution down, and the epsilon of the
    norm after it with the square, is the same function.

    Limits: the bound is of the worst picture; whether a device squares in float16 is not published.
    """
    for op in operations:
        if op.op_type != "conv" or not is_half(op.outputs[0]) or not _is_first(op):
            continue
        if not any(child.op_type == "instance_norm" for child in op.outputs[0].child_ops):
            continue
        spread = _LARGEST_INPUT * np.abs(_weight(op)).sum(axis=(1, 2, 3)).max()
        if (spread / 2) ** 2 > _LARGEST_HALF:
            yield f"{op.name}: variances up to {(spread / 2) ** 2:.1e}"


RULES: tuple[Callable[[Package, list[Any]], Iterable[str]], ...] = (
    unusual_operation,
    float32_arithmetic,
    not_four_dimensions,
    range_of_sizes,
    wide_reflection,
    variance_beyond_half,
)


def _first(found: list[Any], what: str) -> Iterator[str]:
    if found:
        yield f"{len(found)} {what}, {found[0].op_type} {found[0].name} first"


def _is_full(var: Any) -> bool:
    return bool(var.is_tensor_or_scalar_of(dtype="fp32"))


def _too_wide(pad: Any) -> bool:
    amounts, shape = np.ravel(pad.pad.val), pad.x.shape
    pairs = list(zip(shape[::-1], amounts.reshape(-1, 2)[::-1], strict=False))
    wide = any(isinstance(side, (int, np.integer)) and max(p) >= side for side, p in pairs[:2])
    return wide or any(max(p) > 0 for _, p in pairs[2:])


def _is_first(conv: Any) -> bool:
    """Whether only casts, pads and quantisers lie between the picture and this convolution."""
    source = conv.x
    while source.op is not None and source.op.op_type in ("cast", "pad", "quantize", "dequantize"):
        source = source.op.inputs.get("x") or source.op.inputs["input"]
    return source.op is None


def _weight(conv: Any) -> Any:
    return value_of(conv.weight).astype(np.float64)
