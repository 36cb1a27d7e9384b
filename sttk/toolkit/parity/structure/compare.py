"""The comparison of aligned operations, number by number.

An instance norm after a convolution cancels the scale of its weights W and its bias b, if epsilon
has the square of it (``rewrites/scale_fold.py``): a power of two is taken out before the
comparison.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from sttk.toolkit.parity.structure.align import aligned
from sttk.toolkit.targets import structure
from sttk.toolkit.targets.structure import Array, Operation, Stored

# A number may have been rounded to float32 twice more on its way.
_ROUNDED = 4 * structure.HALF_ULP
# The share of weights that have to be equal for a pair to be the same operation without a doubt.
_SURE = 0.5
# The relative difference from which a number that its type moved is worth a line.
_COARSE = 0.01
_MOVES = (structure.CROP, structure.SHUFFLE)


@dataclass
class Findings:
    """What a comparison found.

    Attributes:
        equal: the number of facts of the reference that the model has, by kind, such as epsilons.
        total: the number of facts of the reference, by kind.
        wrong: lines about facts that differ, each with the operation and both values.
        computed: lines about settings that the model computes, which are not compared.
        coarse: lines about numbers that differ by as much as their type makes them.
        missing: the reference's operations that have no partner.
        added: the model's operations that have none.
    """

    equal: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    computed: list[str] = field(default_factory=list)
    coarse: list[str] = field(default_factory=list)
    missing: list[Operation] = field(default_factory=list)
    added: list[Operation] = field(default_factory=list)


@dataclass(frozen=True)
class _Pair:
    """An operation of the reference, and its partner.

    Attributes:
        one: the reference's operation.
        other: the model's.
        scale: the factor of the model's weights that a norm cancels.
        cancelled: whether a norm cancels its bias.
    """

    one: Operation
    other: Operation | None
    scale: float = 1.0
    cancelled: bool = False

    @property
    def sure(self) -> bool:
        """Whether most of its numbers are equal, and so it is the same without a doubt."""
        return self.other is not None and _is_sure(self.one, self.other, self.scale)


def compare(
    reference: Sequence[Operation], model: Sequence[Operation], *, strict: bool
) -> Findings:
    """Compare a model's operations with those of the reference.

    Args:
        reference: the reference's operations, in canonical form.
        model: the model's.
        strict: whether a partner with other weights is wrong. If not, as for a model whose
            exporter is not known, it is only not matched.
    """
    places = aligned(reference, model)
    pairs = list(_scaled([(one, None if j is None else model[j])
                          for one, j in zip(reference, places, strict=True)]))  # fmt: skip
    if not strict:
        pairs = list(_certain(pairs, places, len(model)))
    findings = Findings()
    for pair in pairs:
        _add(findings, pair)
    used = {id(pair.other) for pair in pairs}
    findings.added += [each for each in model if id(each) not in used]
    return findings


def _scaled(pairs: Sequence[tuple[Operation, Operation | None]]) -> Iterator[_Pair]:
    """Yield the pairs, with the scale that a norm cancels on both sides of it."""
    pending = 1.0
    for index, (one, other) in enumerate(pairs):
        if one.kind in (structure.CONVOLUTION, structure.TRANSPOSED):
            after = next((each for each in pairs[index + 1 :] if each[0].kind not in _MOVES), None)
            cancels = after is not None and None not in after and after[0].kind == structure.NORM
            pending = _scale(one, other) if cancels and other is not None else 1.0
            yield _Pair(one, other, pending, cancels)
        elif one.kind == structure.NORM:
            yield _Pair(one, other, pending)
            pending = 1.0
        else:
            yield _Pair(one, other)


def _scale(one: Operation, other: Operation) -> float:
    """Return the power of two by which the model's weights are larger, or 1."""
    sums = [np.abs(each.values["weight"].values).astype(np.float64).sum() for each in (one, other)]
    if not all(math.isfinite(each) and each > 0 for each in sums):
        return 1.0
    exponent = round(math.log2(sums[1] / sums[0]))
    return 2.0**exponent if abs(exponent) < 64 else 1.0


def _certain(pairs: Sequence[_Pair], places: Sequence[int | None], count: int) -> Iterator[_Pair]:
    """Leave only the partners that are the same operation without a doubt.

    That is an operation most of whose numbers are equal, or one without weights between two such
    (or an end of the net), if nothing between these is without a partner. ``count`` is the number
    of the model's operations.
    """
    sure = [pair.sure for pair in pairs]
    for index, pair in enumerate(pairs):
        if "weight" in pair.one.values or "gain" in pair.one.values:
            kept = sure[index]
        else:
            first = next((i for i in range(index - 1, -1, -1) if sure[i]), -1)
            last = next((i for i in range(index + 1, len(sure)) if sure[i]), len(sure))
            kept = any(sure) and _unbroken([-1, *places, count][first + 1 : last + 2])
        yield _without_doubt(pair) if kept else _Pair(pair.one, None)


def _without_doubt(pair: _Pair) -> _Pair:
    """Return the pair without what another exporter may express otherwise.

    That is a bias that a norm cancels and that was dropped, and an activation: a clamp to 0..1 of a
    picture in 0..1, or a ReLU as a clamp, is the same function.
    """
    one, other = pair.one, pair.other
    if other is None:
        return pair
    if one.kind in (structure.ACTIVATION, *_MOVES):
        keys = (*one.settings, *one.values)
        return _Pair(one, None) if any(any(_wrong(pair, other, key)) for key in keys) else pair
    if pair.cancelled and "bias" in one.values and not other.values["bias"].values.any():
        kept = {key: each for key, each in one.values.items() if key != "bias"}
        return dataclasses.replace(pair, one=dataclasses.replace(one, values=kept))
    return pair


def _unbroken(places: Sequence[int | None]) -> bool:
    first = places[0]
    return first is not None and list(places) == list(range(first, first + len(places)))


def _is_sure(one: Operation, other: Operation, scale: float) -> bool:
    keys = [key for key in ("weight", "gain", "bias") if key in one.values]
    found = [_equal(*_values(key, one, other, scale)) for key in keys]
    if one.kind == structure.NORM:
        return bool(found) and all(float(np.mean(each)) >= _SURE for each in found)
    return "weight" in keys and float(np.mean(found[0])) >= _SURE


def _values(key: str, one: Operation, other: Operation, scale: float) -> tuple[Stored, Stored]:
    """Return both sides of a fact; the reference's with the scale that a norm cancels."""
    own = one.values[key]
    if one.kind in (structure.CONVOLUTION, structure.TRANSPOSED):
        own = own.scaled(scale)
    elif key == "epsilon":
        own = own.scaled(scale**2)
    return own, other.values[key]


def _equal(one: Stored, other: Stored) -> Array:
    """Return where two arrays are equal up to what storing them can have moved."""
    a, b = one.values.astype(np.float64), other.values.astype(np.float64)
    if a.shape != b.shape:
        return np.zeros(a.shape, bool)
    with np.errstate(all="ignore"):  # a file may hold infinity and NaN
        # Both were rounded to one grid, if any, so the coarser one's step counts once.
        allowed = (one.relative + other.relative + _ROUNDED) * np.abs(a)
        allowed += np.maximum(one.absolute, other.absolute) + max(one.least, other.least)
        found: Array = (a == b) | (np.abs(a - b) <= allowed)
    return found


def _add(findings: Findings, pair: _Pair) -> None:
    one, other = pair.one, pair.other
    facts = _facts(one)
    findings.total.update(facts.keys())
    if other is None:
        findings.missing.append(one)
        return
    for label, keys in facts.items():
        wrong = [line for key in keys for line in _wrong(pair, other, key)]
        computed = [f"{one.name}, {one.kind}: {key}" for key in keys if _is_computed(other, key)]
        findings.wrong += wrong
        findings.computed += computed
        findings.equal[label] += not (wrong or computed)
    if one.kind == structure.NORM and not any(_wrong(pair, other, "epsilon")):
        own, found = (float(each.values.reshape(-1)[0])
                      for each in _values("epsilon", one, other, pair.scale))  # fmt: skip
        if abs(found - own) > _COARSE * own:
            findings.coarse.append(
                f"{one.name}: epsilon is {own:.3g}, and {found:.3g} in the model"
            )


def _facts(operation: Operation) -> dict[str, tuple[str, ...]]:
    """Return what is counted of an operation: the names of its settings and numbers, by label."""
    if operation.kind in (structure.CONVOLUTION, structure.TRANSPOSED):
        biases = {"biases": ("bias",)} if "bias" in operation.values else {}
        return {"weights": ("weight",), **biases, "strides": (*operation.settings,)}
    if operation.kind == structure.NORM:
        return {"norm gains": ("gain",), "norm biases": ("bias",), "epsilons": ("epsilon",)}
    every = (*operation.settings, *operation.values)
    return {f"{operation.kind}{'e' * operation.kind.endswith('h')}s": every}


def _is_computed(operation: Operation, key: str) -> bool:
    return operation.settings.get(key) == structure.COMPUTED


def _wrong(pair: _Pair, other: Operation, key: str) -> Iterator[str]:
    """Yield a line if a setting or an array of numbers differs."""
    one = pair.one
    what = f"{one.name}, {one.kind}: {key}"
    if key in one.settings:
        own, found = one.settings[key], other.settings.get(key)
        if own != found and not _is_computed(other, key):
            yield f"{what} is {_shown(own)}, and {_shown(found)} in the model's {other.name}"
        return
    own_numbers, numbers = _values(key, one, other, pair.scale)
    equal = _equal(own_numbers, numbers)
    if not equal.all():
        yield f"{what} {_difference(own_numbers, numbers, equal, other.name)}"


def _difference(own: Stored, found: Stored, equal: Array, name: str) -> str:
    if own.values.shape != found.values.shape:
        return f"has shape {own.values.shape}, and {found.values.shape} in the model's {name}"
    gap = np.where(equal, 0.0, np.nan_to_num(np.abs(own.values - found.values), nan=np.inf))
    at = np.unravel_index(int(np.argmax(gap)), gap.shape)
    both = f"is {own.values[at]:.7g}, and {found.values[at]:.7g} in the model's {name}"
    if own.values.size == 1:
        return both
    place = ", ".join(map(str, at))
    return f"[{place}] {both} ({int((~equal).sum())} of {equal.size} differ)"


def _shown(setting: object) -> str:
    return " ".join(map(str, setting)) if isinstance(setting, tuple) else str(setting)
