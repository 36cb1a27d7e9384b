from __future__ import annotations

import json
import shutil

import pytest

from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.targets.coreml.package import read_package

SPEC = "Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"


@pytest.fixture
def model(make):
    """The tiny net's package in fp32, 64 x 96, which is not to be changed."""
    return make("coreml", shapes=Shapes.fixed(64, 96), precision="fp32") / "model.mlpackage"


@pytest.fixture
def broken(model, tmp_path):
    """A copy of it with a fault: ``broken(spec=edit)``, ``weights=``, ``manifest=``."""

    def copy(spec=None, weights=None, manifest=None):
        package = shutil.copytree(model, tmp_path / "broken.mlpackage", dirs_exist_ok=True)
        if spec:
            message = read_package(package).spec
            spec(message)
            (package / SPEC).write_bytes(message.SerializeToString())
        if weights:
            content = bytearray((package / WEIGHTS).read_bytes())
            (package / WEIGHTS).write_bytes(weights(content))
        if manifest:
            content = json.loads((package / "Manifest.json").read_text())
            manifest(content)
            (package / "Manifest.json").write_text(json.dumps(content))
        return package

    return copy
