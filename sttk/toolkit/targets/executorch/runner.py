"""ExecuTorch on the CPU, with XNNPACK."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sttk.toolkit.core.errors import ArtifactError, RunError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.io.streams import quiet_library
from sttk.toolkit.runtimes.base import Closing, Settings
from sttk.toolkit.targets.executorch.program import check_settings, not_loaded, read_program

if TYPE_CHECKING:
    from executorch import runtime as executorch
else:
    executorch = Lazy("executorch.runtime", "executorch")

_METHOD = "forward"


class ExecuTorchRunner(Closing):
    """A runner of ``.pte`` programs with one float32 (B, 3, H, W) input, fixed in size, and one
    output.

    The library chooses the number of threads, and has no Python function to set it.

    Raises:
        MissingExtraError: executorch is not installed.
        ArtifactError: ExecuTorch cannot load the program, or it is not a style net.
        NotRunError: an arithmetic other than the program's own was requested.
    """

    name = "executorch"
    notes: tuple[str, ...] = ()

    def __init__(self, model: Path, settings: Settings | None = None) -> None:
        check_settings(settings)
        # The program reads these bytes as long as it lives, without a reference to them.
        self._bytes = read_program(model)
        self._program, self._method = _loaded(model, self._bytes)
        self.takes = _takes(model, self._method)

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        if not self.takes.takes((batch.shape[2], batch.shape[3])):
            raise RunError(f"ExecuTorch: the program takes {self.takes}, not {batch.shape[2:]}")
        pictures = (torch.from_numpy(np.ascontiguousarray(each[None])) for each in batch)
        return np.concatenate([self._picture(picture) for picture in pictures])

    def _picture(self, picture: torch.Tensor) -> Floats:
        try:
            (output,) = self._method.execute([picture])
        except (RuntimeError, ValueError) as error:
            raise RunError(f"ExecuTorch: {' '.join(str(error).split())[:200]}") from error
        copied: Floats = output.numpy().copy()  # the next run reuses its memory
        return copied


def _loaded(model: Path, content: bytes) -> tuple[Any, Any]:
    with quiet_library():
        runtime = executorch.Runtime.get()
        try:
            program = runtime.load_program(content)
            method = program.load_method(_METHOD)
        except (RuntimeError, ValueError) as error:
            raise not_loaded(model, error) from error
    if method is None:
        raise not_loaded(model, ValueError(f"it has no method {_METHOD}"))
    return program, method


def _takes(model: Path, method: Any) -> Shapes:
    about = method.metadata
    if about.num_inputs() == about.num_outputs() == 1:
        tensor = about.input_tensor_meta(0)
        sides = list(tensor.sizes())
        if len(sides) == 4 and sides[:2] == [1, 3]:
            return Shapes.fixed(sides[2], sides[3], batch=None)
    raise ArtifactError(f"{model}: not a style net with one float (1, 3, H, W) input")


def describe(model: Path) -> dict[str, Any]:
    """Return a program's input, output and backends, for ``sttk inspect``."""
    content = read_program(model)
    program, method = _loaded(model, content)
    about = method.metadata
    return {
        "format": "ExecuTorch",
        "methods": sorted(program.method_names),
        "inputs": [str(about.input_tensor_meta(index)) for index in range(about.num_inputs())],
        "outputs": [str(about.output_tensor_meta(index)) for index in range(about.num_outputs())],
        "delegates": [name for name in ("XnnpackBackend",) if name.encode() in content],
    }
