"""Exporters: a package for each target that sttk exports to, of the target's name.

A target of ``toolkit/targets`` without a package here can be run, and not exported.
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from typing import TYPE_CHECKING, Any

from sttk.toolkit import targets
from sttk.toolkit.core.errors import UsageError

if TYPE_CHECKING:
    from sttk.exporters.base import Exporter, ExportRequest
    from sttk.toolkit.targets.base import Target


@cache
def names() -> tuple[str, ...]:
    """Return the targets that there is an exporter to, in the order of ``targets.NAMES``."""
    return tuple(filter(_is_package, targets.NAMES))


def _is_package(name: str) -> bool:
    found = importlib.util.find_spec(f"{__name__}.{name}")
    return found is not None and found.has_location  # a folder without __init__.py has none


def exportable() -> tuple[Target, ...]:
    """Return the targets of :func:`names`."""
    return tuple(map(targets.target, names()))


def exporter(target: str) -> Exporter[Any]:
    """Return the exporter of a target.

    Raises:
        UsageError: there is no such target, or no exporter to it.
    """
    name = targets.target(target).name
    if name not in names():
        raise UsageError(f"{name}: no exporter to it; there are {', '.join(names())}")
    found: Exporter[Any] = importlib.import_module(f"{__name__}.{name}").EXPORTER
    return found


def check(target: str, able: Exporter[Any], request: ExportRequest[Any]) -> None:
    """Refuse what a target cannot do, before anything is made.

    Raises:
        UsageError: a precision, kind of shapes or size that it or the net does not take.
    """
    least = request.net.contract.smallest_side
    for precision in request.plan.precisions:
        if precision not in able.precisions:
            known = ", ".join(able.precisions)
            raise UsageError(f"{target} has no precision {precision}; it has {known}")
    request.plan.check_blocks(
        {
            name: bool([*module.parameters(recurse=False)])
            for name, module in request.net.named_modules()
        }
    )
    kind = request.shapes.kind
    if kind not in able.kinds:
        raise UsageError(f"{target} takes no {_WAYS[kind]}", fix=f"pass {_ways(able.kinds)}")
    smallest = request.shapes.smallest
    if smallest and min(smallest) < least:
        size = f"{smallest[0]}x{smallest[1]}"
        raise UsageError(f"size {size}: the net's smallest side is {least}")


_WAYS = {
    "fixed": "--size",
    "any": "--dynamic",
    "range": "--min-size, --opt-size and --max-size",
    "enumerated": "--sizes",
}


def _ways(kinds: tuple[str, ...]) -> str:
    return ", or ".join(_WAYS[kind] for kind in kinds)
