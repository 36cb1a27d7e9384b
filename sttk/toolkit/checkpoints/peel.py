"""What training scripts wrap around a net's weights: dictionaries in dictionaries, and prefixes.

``torch.save({"epoch": 2, "state_dict": net.state_dict()})`` nests the weights, Lightning prefixes
their keys with the attribute that holds the net (``model.``), DataParallel with ``module.`` and
``torch.compile`` with ``_orig_mod.``, in any order and number. Nothing is peeled off for its name
alone: of all that could be a net, what a layout knows is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from sttk.toolkit.checkpoints.layout import Tensors
from sttk.toolkit.checkpoints.styles_within import one_style, styles_of

# Of several nests that hold the same kind of net, the first of these names is taken.
_NAMES = (
    "state_dict", "model_state_dict", "model", "net", "model_state", "transformer_state_dict",
    "transformer", "generator", "params", "weights",
)  # fmt: skip
# torch.compile puts this wherever the compiled module is.
_COMPILED = "_orig_mod."
# A file of a few kilobytes can hold dictionaries that are each other's values, and keys of
# thousands of parts.
_MOST_DEPTH = 16
_MOST_NESTS = 1000
_MOST_CANDIDATES = 200
_MOST_SHOWN = 3


@dataclass(frozen=True)
class Candidate:
    """Tensors that may be a net's.

    Attributes:
        state: the tensors by their keys, without prefixes.
        nests: names of the dictionaries that they lie in, outermost first.
        prefixes: what their keys began with, each with its dot.
        left: first parts of the keys that were left out, each with its dot.
        styles: how many styles it holds, of which ``state`` is one; 0 for a plain net.
    """

    state: Tensors
    nests: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    styles: int = 0

    def of_style(self, style: int) -> Candidate:
        """Return the same with one of its styles alone, or the last if it has not as many."""
        count = styles_of(self.state)
        state = one_style(self.state, min(style, count - 1)) if count else self.state
        return replace(self, state=state, styles=count)

    def __str__(self) -> str:
        """Return what was peeled off, such as ``state_dict, model., left out vgg.``."""
        left = [f"left out {_shown(each)}" for each in self.left[:_MOST_SHOWN]]
        more = [f"and {len(self.left) - len(left)} more"] * (len(self.left) > len(left))
        return ", ".join([*map(_shown, (*self.nests, *self.prefixes)), *left, *more])

    @property
    def rank(self) -> int:
        """The place of the innermost nest's name among those that nets have; -1 without a nest."""
        if not self.nests:
            return -1
        name = self.nests[-1]
        return _NAMES.index(name) if name in _NAMES else len(_NAMES)


def candidates(content: Mapping[Any, Any]) -> list[Candidate]:
    """Return all that may be a net in a file's content: the outermost, with the fewest prefixes.

    The first is what the file holds as a whole, or is empty.
    """
    found: list[Candidate] = []
    for names, nest in _nests(content):
        state = {str(k).replace(_COMPILED, ""): v for k, v in nest.items() if _is_tensor(v)}
        if state:
            compiled = any(_COMPILED in str(key) for key in nest)
            start = Candidate(state, names, (_COMPILED,) if compiled else ())
            found += [start, *_without_prefixes(start, _MOST_DEPTH)]
        if len(found) >= _MOST_CANDIDATES:
            break
    return found[:_MOST_CANDIDATES] or [Candidate({})]


def chosen(found: list[Candidate], matches: Callable[[Tensors], bool]) -> Candidate | None:
    """Return the candidate that matches, or None.

    Raises:
        ValueError: several nests hold such a net, and their names do not say which is meant.
    """
    matching: dict[tuple[str, ...], Candidate] = {}
    for candidate in found:
        if candidate.nests not in matching and matches(candidate.state):
            matching[candidate.nests] = candidate
    if not matching:
        return None
    first, *others = sorted(matching.values(), key=lambda each: each.rank)
    if any(each.rank == first.rank for each in others):
        names = ", ".join(_shown(".".join(each.nests)) for each in (first, *others))
        raise ValueError(f"holds several nets ({names}); save the one that is meant alone")
    return first


def _nests(content: Mapping[Any, Any]) -> Iterator[tuple[tuple[str, ...], Mapping[Any, Any]]]:
    """Yield all dictionaries below ``content``, outermost first, each once, with their names."""
    level: list[tuple[tuple[str, ...], Mapping[Any, Any]]] = [((), content)]
    seen = {id(content)}
    for _ in range(_MOST_DEPTH):
        inner: list[tuple[tuple[str, ...], Mapping[Any, Any]]] = []
        for names, nest in level:
            yield names, nest
            for key, value in nest.items():
                if isinstance(value, Mapping) and id(value) not in seen and len(seen) < _MOST_NESTS:
                    seen.add(id(value))
                    inner.append(((*names, str(key)), value))
        level = inner


def _without_prefixes(candidate: Candidate, depth: int) -> Iterator[Candidate]:
    """Yield the keys that share their first part, without it; and those without the next."""
    groups: dict[str, dict[str, Tensor]] = {}
    for key, value in candidate.state.items():
        first, dot, rest = key.partition(".")
        if dot:
            groups.setdefault(f"{first}.", {})[rest] = value
    alone = sorted(key for key in candidate.state if "." not in key)
    for prefix, state in groups.items():
        # A net has a convolution for a picture; deeper parts of one are no nets.
        if depth and any(value.ndim == 4 and 3 in value.shape for value in state.values()):
            left = (*candidate.left, *(each for each in groups if each != prefix), *alone)
            inner = Candidate(state, candidate.nests, (*candidate.prefixes, prefix), left)
            yield inner
            yield from _without_prefixes(inner, depth - 1)


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)


def _shown(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
