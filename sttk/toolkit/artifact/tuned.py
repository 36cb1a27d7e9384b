"""The fastest measured settings, as a manifest's bench record stores them."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

from sttk.toolkit.artifact.manifest import Manifest, model_sha256
from sttk.toolkit.core.contract import ARITHMETIC
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.host import machine
from sttk.toolkit.runtimes.base import LAYOUTS, Settings

_NAMES = ("inference_precision", "threads", "layout")


@dataclass(frozen=True)
class Tuned:
    """The settings that were chosen for one model on one machine.

    Attributes:
        settings: the runtime's settings.
        machine: the machine; on another one they may be the slowest, or not run at all.
        model_sha256: the model's digest; the settings say nothing about another model.
        size: (height, width) of the pictures.
        milliseconds: the median time of one picture with these settings.
        default_milliseconds: the median time with the runtime's defaults, in the same rounds.
        verdict: the parity gate's verdict on the model with these settings.
    """

    settings: Settings
    machine: str
    model_sha256: str
    size: Size
    milliseconds: float
    default_milliseconds: float
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON values."""
        return {**asdict(self), "settings": settings_dict(self.settings)}


def settings_dict(settings: Settings) -> dict[str, Any]:
    """Return those settings that can be chosen, as plain JSON values."""
    return {name: getattr(settings, name) for name in _NAMES}


def this_machine() -> str:
    """Return what settings depend on: the processor, its instructions and number of threads."""
    cpu = machine.cpu()
    return f"{cpu.name}, {cpu.threads} threads ({', '.join(cpu.features)})"


def settings_here(manifest: Manifest) -> Settings | None:
    """Return the settings that were chosen for this very model on this machine, or None."""
    record = manifest.bench
    if not isinstance(record, dict) or record.get("machine") != this_machine():
        return None
    if record.get("model_sha256") != model_sha256(manifest):
        return None
    return _settings(record.get("settings"))


def _settings(record: Any) -> Settings | None:
    """Parse a record's settings; None if they are not valid, as anyone may have written them."""
    if not isinstance(record, dict):
        return None
    precision, threads, layout = (record.get(name) for name in _NAMES)
    if precision not in (None, *ARITHMETIC) or layout not in (None, *LAYOUTS):
        return None
    if threads is not None and threads not in range(1, 1 + (os.cpu_count() or 1)):
        return None
    return Settings(inference_precision=precision, threads=threads, layout=layout)
