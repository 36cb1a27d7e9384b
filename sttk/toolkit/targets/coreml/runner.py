"""Core ML packages, run by Core ML on macOS and by sttk's interpreter elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from sttk.toolkit.core.errors import RunError, UsageError
from sttk.toolkit.imaging.images import Floats, to_bytes
from sttk.toolkit.runtimes.base import WIDE, Closing, Settings
from sttk.toolkit.targets.coreml.interpreter import Interpreter
from sttk.toolkit.targets.coreml.package import read_package
from sttk.toolkit.targets.coreml.predictor import Predictor

_ON_MAC = sys.platform == "darwin"
_INTERPRETED = (
    "run by sttk's interpreter, not by Core ML: proves the saved graph and weights, "
    "not Apple's kernels"
)
_PREDICTED = "run by Core ML on this Mac, on the units that it chose"
_IMAGE_OUT = "the output is judged before it is rounded to the 8 bits of an image"


class CoreMLRunner(Closing):
    """A runner of a style net's ``.mlpackage``, one picture at a time.

    ``f32`` uses the interpreter on any machine: no result is rounded to float16.

    The input of an image package is rounded to 8 bits. The output is what the program computes,
    before an image output would be rounded to 8 bits as well.

    Raises:
        MissingExtraError: coremltools is not installed.
        ArtifactError: the package cannot be loaded, or the interpreter cannot run it.
    """

    name = "coreml"

    def __init__(self, model: Path, settings: Settings | None = None) -> None:
        precision = settings.inference_precision if settings else None
        if precision not in (None, "f32"):
            raise UsageError(
                f"coreml has no --inference-precision {precision}: its package says it",
                fix="f32 is the only other one",
            )
        package = read_package(model)
        predicted = _ON_MAC and not precision
        self._engine: Predictor | Interpreter = (
            Predictor(package) if predicted else Interpreter(package, rounded=not precision)
        )
        self._image = package.input.image
        self.takes = package.input.shapes
        self.notes = (
            _PREDICTED if predicted else _INTERPRETED,
            *((WIDE,) if precision else ()),
            *((_IMAGE_OUT,) if package.output.image else ()),
        )

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        size = batch.shape[2], batch.shape[3]
        if batch.shape[0] != 1 or not self.takes.takes(size):
            raise RunError(f"the package takes one picture of {self.takes}, not {batch.shape}")
        if self._image:
            batch = to_bytes(batch).astype(np.float32)
        try:
            return self._engine.run(batch)
        except RuntimeError as error:
            raise RunError(f"coreml: {' '.join(str(error).split())[:200]}") from error
