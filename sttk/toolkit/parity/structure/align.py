"""The alignment of a model's operations with the net's, as in ``parity/bisect/match.py``.

Both run in the same order, apart from what was left out or added. Of all ways to pair operations of
one kind in order, the one with the most evidence is chosen: weights that are equal count most.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sttk.toolkit.targets.structure import Array, Operation, Stored

# Evidence for a pair of one kind: something, more if settings are equal, most for equal numbers.
_KIND, _SETTINGS, _NUMBERS = 1.0, 1.0, 8.0
_COMPARED = 4096  # numbers of a tensor that are compared
_TOLERANCE = 1e-2


def aligned(reference: Sequence[Operation], model: Sequence[Operation]) -> list[int | None]:
    """Return the index of the model's operation for each of the reference's, or None."""
    columns = len(model)
    best = [[0.0] * (columns + 1)]
    for one in reference:
        above, line = best[-1], [0.0]
        for j, other in enumerate(model):
            line.append(max(above[j + 1], line[j], above[j] + evidence(one, other)))
        best.append(line)
    pairs: list[int | None] = [None] * len(reference)
    i, j = len(reference), columns
    while i and j:
        if best[i][j] == best[i][j - 1]:
            j -= 1
        elif best[i][j] == best[i - 1][j]:
            i -= 1
        else:
            i, j = i - 1, j - 1
            pairs[i] = j
    return pairs


def evidence(one: Operation, other: Operation) -> float:
    """Return the evidence that two operations are the same; 0 if they cannot be."""
    if one.kind != other.kind:
        return 0.0
    shapes = [values.values.shape for values in one.values.values()]
    if shapes != [values.values.shape for values in other.values.values()]:
        return 0.0
    settings = _SETTINGS * (one.settings == other.settings)
    equal = [_share(values, other.values[key]) for key, values in one.values.items()]
    return _KIND + settings + _NUMBERS * (sum(equal) / len(equal) if equal else 0.0)


def _share(one: Stored, other: Stored) -> float:
    """Return the share of numbers that are about equal."""
    a, b = _thinned(one.values), _thinned(other.values)
    error = other.absolute
    error = _thinned(np.broadcast_to(error, other.values.shape)) if np.ndim(error) else error
    with np.errstate(all="ignore"):  # a file may hold infinity and NaN
        equal = (a == b) | (np.abs(a - b) <= _TOLERANCE * np.abs(a) + error)
    return float(np.mean(equal)) if equal.size else 0.0


def _thinned(array: Array) -> Array:
    flat = array.reshape(-1)
    return flat[:: max(1, flat.size // _COMPARED)]
