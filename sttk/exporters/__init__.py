"""Exporters: a package for each target of ``toolkit/targets``, of the same name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sttk.toolkit import targets
from sttk.toolkit.core.errors import UsageError

if TYPE_CHECKING:
    from sttk.exporters.base import Exporter, ExportRequest


def exporter(target: str) -> Exporter[Any]:
    """Return the exporter of a target.

    Raises:
        UsageError: there is no such target.
    """
    name = targets.target(target).name
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
