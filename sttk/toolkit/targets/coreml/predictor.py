"""A package run by Core ML itself, which needs macOS."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.imaging.images import Floats, from_batch
from sttk.toolkit.io.streams import quiet_library
from sttk.toolkit.targets.coreml.package import Package

if TYPE_CHECKING:
    import coremltools as ct
else:
    ct = Lazy("coremltools", "coreml")


class Predictor:
    """A package loaded in Core ML, on whichever unit Core ML chooses.

    An image output is read as an array: the program's result, before it is rounded to 8 bits.

    Raises:
        ArtifactError: Core ML cannot load it.
    """

    def __init__(self, package: Package) -> None:
        self._input, self._output = package.input, package.output.name
        spec = _with_array_output(package.spec) if package.output.image else package.spec
        try:
            with quiet_library():
                self._model = ct.models.MLModel(spec, weights_dir=str(package.weights))
        # Which exception it raises depends on the version of macOS.
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise ArtifactError(f"{package.path}: Core ML cannot load it: {reason}") from error

    def run(self, batch: Floats) -> Floats:
        """Run the package: (1, 3, H, W) float32 in 0..255 -> the program's output, float32.

        Raises:
            RuntimeError: Core ML failed.
        """
        value = Image.fromarray(from_batch(batch)) if self._input.image else batch
        with quiet_library():
            found = self._model.predict({self._input.name: value})
        return np.asarray(found[self._output], dtype=np.float32)


def _with_array_output(spec: Any) -> Any:
    """Return a copy of the spec that outputs the program's float32 (1, 3, H, W) as an array."""
    spec = copy.deepcopy(spec)
    spec.description.output[
        0
    ].type.multiArrayType.dataType = ct.proto.FeatureTypes_pb2.ArrayFeatureType.FLOAT32
    return spec
