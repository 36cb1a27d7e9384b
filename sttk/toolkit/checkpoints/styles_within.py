"""Nets of several styles: conditional instance norm (Dumoulin et al. 2017, section 2.2).

Such a net shares its convolutions, and each norm has a scale and a shift for each style, in tensors
of (styles, channels). Forks write them as parameters (``in1.weight``, ``in1.gamma``), embeddings
(``in1.gamma.weight``, ``in1.embed.weight`` with scales before shifts) or a list of norms
(``in1.norms.3.weight``). One style's rows make a plain net, which the other layouts know.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor

from sttk.toolkit.checkpoints.layout import Tensors

_PART = {
    "weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias", "scale": "weight",
    "shift": "bias",
}  # fmt: skip
_EMBEDDING = re.compile(r"(.+?)\.(gamma|beta|scale|shift|weight|bias)(?:\.weight)?")
_BOTH = re.compile(r"(.+)\.embed(?:ding)?\.weight")
_LIST = re.compile(r"(.+?)\.(?:(?:norms|layers|instance_norms|ins)\.)?(\d{1,4})\.(weight|bias)")
_MOST_STYLES = 4096
_LEAST_NORMS = 5


def styles_of(state: Tensors) -> int:
    """Return how many styles a net's norms hold; 0 for a plain net."""
    # What is not plain is refused later; it cannot be cut into rows.
    if any(value.layout != torch.strided or value.is_quantized for value in state.values()):
        return 0
    rows = [value.shape[0] for value in state.values() if value.ndim == 2]
    counts = set(rows) if rows else {len(each) for each in _lists(state).values()}
    if len(rows or _lists(state)) < _LEAST_NORMS or len(counts) != 1:
        return 0
    count = counts.pop()
    return count if 1 <= count <= _MOST_STYLES else 0


def one_style(state: Tensors, style: int) -> Tensors:
    """Return the plain net of one style, with its keys in their order.

    Args:
        state: the tensors of a net for which :func:`styles_of` is more than ``style``.
        style: the style's number, from 0.
    """
    lists = _lists(state)
    plain: dict[str, Tensor] = {}
    for key, value in state.items():
        if (match := _LIST.fullmatch(key)) and (match[1], match[3]) in lists:
            plain[f"{match[1]}.{match[3]}"] = lists[match[1], match[3]][style]
        elif value.ndim != 2:
            plain[key] = value
        elif match := _BOTH.fullmatch(key):
            half = value.shape[1] // 2
            plain[f"{match[1]}.weight"] = value[style, :half]
            plain[f"{match[1]}.bias"] = value[style, half:]
        else:
            match = _EMBEDDING.fullmatch(key)
            plain[f"{match[1]}.{_PART[match[2]]}" if match else key] = value[style]
    return plain


def _lists(state: Tensors) -> dict[tuple[str, str], list[Tensor]]:
    """Return the lists of norms, by the name that they share and the part; empty if not all are."""
    if any(value.ndim == 2 for value in state.values()):
        return {}
    found: dict[tuple[str, str], dict[int, Tensor]] = {}
    for key, value in state.items():
        if (match := _LIST.fullmatch(key)) and value.ndim == 1:
            found.setdefault((match[1], match[3]), {})[int(match[2])] = value
    lists = {}
    for name, rows in found.items():
        if [*rows] != [*range(len(rows))] or len({row.shape for row in rows.values()}) > 1:
            return {}
        lists[name] = list(rows.values())
    return lists if len(lists) >= 2 * _LEAST_NORMS else {}
