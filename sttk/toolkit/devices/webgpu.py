"""WebGPU in Chromium: a real GPU, else Chromium's SwiftShader."""

from __future__ import annotations

from pathlib import Path

from sttk.toolkit.devices.base import REAL, SOFTWARE, Device, Need
from sttk.toolkit.host import machine
from sttk.toolkit.runtimes.base import Runner, Settings
from sttk.toolkit.targets.base import Target
from sttk.toolkit.web import chromium


class WebGpu(Device):
    """See :class:`Device`."""

    @property
    def kind(self) -> str:
        """See :class:`Device`."""
        return REAL if machine.has_gpu() else SOFTWARE

    @property
    def machine(self) -> str:
        """See :class:`Device`."""
        return "a GPU"

    def features(self) -> tuple[str, ...]:
        """See :class:`Device`. Only the browser knows them, once a page is open."""
        return ()

    def judges(self, target: Target, precision: str) -> bool:
        """See :class:`Device`: the page runs int8 models on the processor (worker.js)."""
        return self.runs(target) and precision != "int8"

    def lacking(self, target: Target | None = None) -> tuple[Need, ...]:
        """See :class:`Device`."""
        del target
        return () if chromium.find() else (Need("Chromium", "apt-get install chromium", root=True),)

    def load(self, target: Target, model: Path, settings: Settings | None) -> Runner:
        """See :class:`Device`."""
        return target.open_on(self.name, model, settings)


DEVICE = WebGpu("webgpu", "WebGPU in Chromium; in software (SwiftShader) without a GPU")
