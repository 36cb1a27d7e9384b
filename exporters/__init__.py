"""Targets: one file each, one line here."""

from __future__ import annotations

import importlib
from typing import cast

from exporters.base import Exporter
from toolkit.errors import UsageError

TARGETS = {"onnx": "exporters.onnx"}


def exporter(target: str) -> Exporter:
    """The exporter of a target, imported when it is asked for."""
    if target not in TARGETS:
        raise UsageError(f"{target}: no such target; known: {', '.join(TARGETS)}")
    return cast(Exporter, importlib.import_module(TARGETS[target]))
