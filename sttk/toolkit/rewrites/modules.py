"""Replacement of a net's modules by others that compute the same function, which is checked."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from sttk.toolkit.core.shapes import Size
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.rewrites.same import SIZES, check_same


def names_of(net: nn.Module, *kinds: type[nn.Module]) -> list[str]:
    """Return the names of the modules of these kinds, in the order in which the net lists them."""
    return [name for name, module in net.named_modules() if isinstance(module, kinds)]


def replaced(
    rule: str,
    net: StyleNet,
    names: Sequence[str],
    form: Callable[[Any], nn.Module],
    sizes: Sequence[Size] = SIZES,
) -> tuple[StyleNet, int]:
    """Replace each named module by another form of it that computes the same function.

    The check runs in float64 from the start, because weights that ``form`` sums in float32 have
    float32's rounding.

    Args:
        rule: the rule's name, for the error.
        net: the net, which is not changed.
        names: the names of the modules to replace.
        form: maps a module to its other form.
        sizes: each (height, width) at which the two nets have to return the same picture.

    Returns:
        A new net (or ``net`` itself if ``names`` is empty), and the number of replacements.

    Raises:
        ExportError: the new net computes another function.
    """
    if not names:
        return net, 0
    wide = copy.deepcopy(net).double()
    check_same(rule, wide, _with(wide, names, form), sizes)
    return _with(net, names, form), len(names)


def _with(net: StyleNet, names: Sequence[str], form: Callable[[Any], nn.Module]) -> StyleNet:
    changed = copy.deepcopy(net)
    for name in names:
        changed.set_submodule(name, form(changed.get_submodule(name)))
    return changed.eval()
