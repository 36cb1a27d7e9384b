"""Settings that were measured to be the fastest, as a manifest's bench record keeps them."""

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
    """What was chosen for one model on one machine.

    Attributes:
        settings: of the runtime.
        machine: where; elsewhere they may be the slowest, or cannot run at all.
        model_sha256: of the model; those of another one say nothing.
        size: (height, width) of the pictures.
        milliseconds: median of one picture with these settings.
        default_milliseconds: with the runtime's own, in the same rounds.
        verdict: of the parity gate on the model with these settings.
    """

    settings: Settings
    machine: str
    model_sha256: str
    size: Size
    milliseconds: float
    default_milliseconds: float
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {**asdict(self), "settings": settings_dict(self.settings)}


def settings_dict(settings: Settings) -> dict[str, Any]:
    """What of them can be chosen, as plain JSON values."""
    return {name: getattr(settings, name) for name in _NAMES}


def this_machine() -> str:
    """What settings depend on: the processor, its instructions, and how many threads it has."""
    cpu = machine.cpu()
    return f"{cpu.name}, {cpu.threads} threads ({', '.join(cpu.features)})"


def settings_here(manifest: Manifest) -> Settings | None:
    """The settings that were chosen for this very model on this machine, or None."""
    record = manifest.bench
    if not isinstance(record, dict) or record.get("machine") != this_machine():
        return None
    if record.get("model_sha256") != model_sha256(manifest):
        return None
    return _settings(record.get("settings"))


def _settings(record: Any) -> Settings | None:
    """Anyone can have written it: what is no setting is none."""
    if not isinstance(record, dict):
        return None
    precision, threads, layout = (record.get(name) for name in _NAMES)
    if precision not in (None, *ARITHMETIC) or layout not in (None, *LAYOUTS):
        return None
    if threads is not None and threads not in range(1, 1 + (os.cpu_count() or 1)):
        return None
    return Settings(inference_precision=precision, threads=threads, layout=layout)
