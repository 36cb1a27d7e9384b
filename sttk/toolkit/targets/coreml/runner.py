"""Core ML packages, run by Core ML on macOS and by sttk's interpreter elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from sttk.toolkit.core.errors import RunError, UsageError
from sttk.toolkit.imaging.images import Floats, to_bytes
from sttk.toolkit.runtimes.base import WIDE, Closing, Settings
from sttk.toolkit.targets.coreml.interpreter import Interpreter
from sttk.toolkit.targets.coreml.package import Package, read_package
from sttk.toolkit.targets.coreml.predictor import Predictor

_ON_MAC = sys.platform == "darwin"
_INTERPRETED = (
    "run by sttk's interpreter, not by Core ML: proves the saved graph and weights, "
    "not Apple's kernels"
)
_EMULATED = (
    "run by sttk's interpreter with float16 results, and float16 sums in convolutions: proves the "
    "saved graph and weights in that arithmetic, not Apple's kernels"
)
_PREDICTED = "run by Core ML on this Mac, on the units that it chose"
_IMAGE_OUT = "the output is judged before it is rounded to the 8 bits of an image"


class _PackageRunner(Closing):
    """A runner of a package, one picture at a time.

    The input of an image package is rounded to 8 bits. The output is what the program computes,
    before an image output would be rounded to 8 bits as well.

    Args:
        package: the package, as read from disk.
        engine: what runs it.
        notes: caveats for readers of the results.
    """

    def __init__(
        self, package: Package, engine: Predictor | Interpreter, notes: tuple[str, ...]
    ) -> None:
        self._engine = engine
        self._image = package.input.image
        self.takes = package.input.shapes
        self.notes = (*notes, *((_IMAGE_OUT,) if package.output.image else ()))

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


class CoreMLRunner(_PackageRunner):
    """A runner of a style net's ``.mlpackage``.

    ``f32`` uses the interpreter on any machine: no result is rounded to float16.

    Raises:
        MissingExtraError: coremltools is not installed.
        ArtifactError: the package cannot be loaded, or the interpreter cannot run it.
        UsageError: an arithmetic other than ``f32`` was requested.
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
        engine = Predictor(package) if predicted else Interpreter(package, rounded=not precision)
        notes = (_PREDICTED if predicted else _INTERPRETED, *((WIDE,) if precision else ()))
        super().__init__(package, engine, notes)


class EmulatedCoreML(_PackageRunner):
    """A runner of a style net's ``.mlpackage`` by the interpreter, with float16 arithmetic.

    Apple does not publish its kernels. As far as is known, the Neural Engine computes all in
    float16 (hollance/neural-engine, docs/16-bit.md), and so does the GPU where an app sets
    ``allowLowPrecisionAccumulationOnGPU``; norms overflowed on devices (apple/coremltools#1380),
    so the squares in them are float16, too.

    Raises:
        MissingExtraError: coremltools is not installed.
        ArtifactError: the package cannot be loaded, or the interpreter cannot run it.
    """

    name = "coreml, emulated"

    def __init__(self, model: Path) -> None:
        package = read_package(model)
        engine = Interpreter(package, half_variance=True, half_sums=True)
        super().__init__(package, engine, (_EMULATED,))
