"""Modules of a net replaced by others that are the same function, and proven to be."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from sttk.toolkit.core.shapes import Size
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.rewrites.same import SIZES, check_same


def names_of(net: nn.Module, *kinds: type[nn.Module]) -> list[str]:
    """Of the modules of these kinds, from input to output as the net lists them."""
    return [name for name, module in net.named_modules() if isinstance(module, kinds)]


def replaced(
    rule: str,
    net: StyleNet,
    names: Sequence[str],
    form: Callable[[Any], nn.Module],
    sizes: Sequence[Size] = SIZES,
) -> tuple[StyleNet, int]:
    """The same function, with each named module in another form.

    The proof is in float64 from the start: what ``form`` sums in float32 has float32's rounding.

    Args:
        rule: its name, for the error.
        net: is left as it is.
        names: of modules.
        form: a module to its other form.
        sizes: (height, width) at which the nets have to give one picture.

    Returns:
        A new net (``net`` itself where nothing is to be done), and how many were replaced.

    Raises:
        ExportError: the net would be another function.
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
