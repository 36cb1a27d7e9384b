"""ExecuTorch programs on an emulated ARM64 CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sttk.toolkit.core.errors import ArtifactError, NotRunError, RunError
from sttk.toolkit.core.shapes import Shapes, ShapesError
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.runtimes.base import Closing, Settings
from sttk.toolkit.targets.executorch.arm64 import build
from sttk.toolkit.targets.executorch.arm64.parts import CPU, Parts
from sttk.toolkit.targets.executorch.arm64.process import NotStartedError, RunnerProcess
from sttk.toolkit.targets.executorch.program import check_settings, read_program

# XNNPACK packs the weights while it loads; a full net at 512 px takes minutes in emulated float16.
_SECONDS = 3600.0


class EmulatedExecuTorchRunner(Closing):
    """A runner of ``.pte`` programs like :class:`ExecuTorchRunner`, but on an emulated ARM64 CPU.

    Args:
        model: the program.
        parts: what it takes to emulate one; the runner is compiled if it is not there yet.
        settings: see :class:`ExecuTorchRunner`.

    Raises:
        ArtifactError: ExecuTorch cannot load the program, or it is not a style net.
        NotRunError: a part is missing, does not start or does not compile; or an arithmetic other
            than the program's own was requested.
    """

    name = "executorch"

    def __init__(self, model: Path, parts: Parts, settings: Settings | None = None) -> None:
        check_settings(settings)
        program = read_program(model)
        self._process = _started(model, parts.command(build.runner(parts)), program)
        self.takes = _takes(model, self._process)
        self.notes: tuple[str, ...] = (
            f"computed by ExecuTorch {parts.version} for ARM64, emulated by qemu as {CPU}",
        )

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        if not self.takes.takes((batch.shape[2], batch.shape[3])):
            raise RunError(f"ExecuTorch: the program takes {self.takes}, not {batch.shape[2:]}")
        try:
            return np.concatenate([self._process.run(each[None]) for each in batch])
        except RunError as error:
            raise RunError(f"ExecuTorch: {error.message}") from error

    def close(self) -> None:
        """See :class:`Runner`."""
        self._process.close()


def _started(model: Path, command: list[str], program: bytes) -> RunnerProcess:
    try:
        return RunnerProcess(command, program, _SECONDS)
    except NotStartedError as error:
        raise NotRunError(f"not run: ExecuTorch on ARM64: {error.message}") from error
    except RunError as error:
        raise ArtifactError(f"{model}: ExecuTorch cannot load it: {error.message}") from error


def _takes(model: Path, process: RunnerProcess) -> Shapes:
    batch, channels, height, width = process.takes
    try:
        if (batch, channels) == (1, 3):
            return Shapes.fixed(height, width, batch=None)
    except ShapesError:
        pass
    process.close()
    raise ArtifactError(f"{model}: not a style net with one float (1, 3, H, W) input")
