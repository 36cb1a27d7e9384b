"""Targets: one file each, one line here."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from sttk.toolkit.core.errors import UsageError

if TYPE_CHECKING:
    from sttk.exporters.base import Exporter, Request

TARGETS = {
    "onnx": "sttk.exporters.onnx",
    "openvino": "sttk.exporters.openvino",
    "trt": "sttk.exporters.trt",
    "coreml": "sttk.exporters.coreml",
    "coreai": "sttk.exporters.coreai",
    "ncnn": "sttk.exporters.ncnn",
    "litert": "sttk.exporters.litert",
    "executorch": "sttk.exporters.executorch",
    "web": "sttk.exporters.web",
}


def exporter(target: str) -> Exporter:
    """The exporter of a target, imported when it is asked for."""
    if target not in TARGETS:
        raise UsageError(f"{target}: no such target; known: {', '.join(TARGETS)}")
    return cast("Exporter", importlib.import_module(TARGETS[target]))


def check(target: str, able: Exporter, request: Request) -> None:
    """Refuse what a target cannot do, before anything is made.

    Raises:
        UsageError: a precision, kind of shapes or size that it or the net does not take.
    """
    least = request.net.contract.smallest_side
    for precision in request.plan.precisions:
        if precision not in able.PRECISIONS:
            known = ", ".join(able.PRECISIONS)
            raise UsageError(f"{target} has no precision {precision}; it has {known}")
    request.plan.check_blocks(
        {
            name: bool([*module.parameters(recurse=False)])
            for name, module in request.net.named_modules()
        }
    )
    kind = request.shapes.kind
    if kind not in able.KINDS:
        raise UsageError(f"{target} takes no {_WAYS[kind]}", fix=f"pass {_ways(able.KINDS)}")
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
