"""``.tflite`` files as the GPU of a phone computes them, on any CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sttk.toolkit.core.errors import ArtifactError, RunError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.precision.arithmetic import FLOAT16, Arithmetic
from sttk.toolkit.runtimes.base import Closing
from sttk.toolkit.targets.litert.interpreter import Interpreter
from sttk.toolkit.targets.litert.program import Program, read_program

_NOTE = (
    "run by sttk's interpreter: proves the saved graph and weights in an arithmetic, not a "
    "device's kernels:"
)


class EmulatedLiteRt(Closing):
    """A runner of ``.tflite`` files with one float (1, H, W, 3) input and one such output.

    Args:
        model: the file.
        arithmetic: the arithmetic of every operation; by default that of a phone's GPU.

    Raises:
        MissingExtraError: LiteRT's package, which has the schema, is not installed.
        ArtifactError: the file cannot be read, or the interpreter cannot run it.
    """

    name = "litert, emulated"

    def __init__(self, model: Path, arithmetic: Arithmetic = FLOAT16) -> None:
        program = read_program(model)
        self.takes = _takes(program)
        self._interpreter = Interpreter(program, arithmetic)
        self.notes: tuple[str, ...] = (f"{_NOTE} {arithmetic.title}",)

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        size = (batch.shape[2], batch.shape[3])
        if not self.takes.takes(size):
            raise RunError(f"LiteRT: the model takes {self.takes}, not {batch.shape[2:]}")
        return np.stack([self._picture(picture) for picture in batch])

    def _picture(self, picture: Floats) -> Floats:
        output = self._interpreter.run(np.ascontiguousarray(picture.transpose(1, 2, 0)[None]))
        if output.ndim != 4 or output.shape[0] != 1:
            raise RunError(f"LiteRT: an output of shape {output.shape}")
        return np.ascontiguousarray(output[0].transpose(2, 0, 1))


def _takes(program: Program) -> Shapes:
    """Return the shapes that the program's one input takes."""
    if len(program.inputs) == len(program.outputs) == 1:
        source = program.tensors[program.inputs[0]]
        if source.kind == "float32" and len(source.signature) == 4 and source.signature[3] == 3:
            height, width = source.signature[1:3]
            free = height < 1 and width < 1
            return Shapes.any() if free else Shapes.fixed(height, width, batch=None)
    raise ArtifactError(f"{program.path}: not a style net with one float (1, H, W, 3) input")
