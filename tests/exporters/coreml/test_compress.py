from __future__ import annotations

import numpy as np
import pytest
import torch

from exporters.artifact import make_artifact
from exporters.base import Options, Request
from toolkit.errors import ExportError
from toolkit.manifest import read_manifest
from toolkit.parity.metrics import difference
from toolkit.runtimes import open_model
from toolkit.runtimes.coreml.describe import compression
from toolkit.runtimes.coreml.package import read_package
from toolkit.shapes import Shapes

# Of a net with random weights: what was found, less 3 dB.
CASES = [
    ("int8", "iOS16", "linear", 50),
    ("palette6", "iOS18", "palette", 38),
    ("palette4", "iOS16", "palette", 26),
    ("int4", "iOS18", "linear", 28),
]


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "system", "kind", "least"), CASES)
def test_compressed_weights(wide, tmp_path, name, system, kind, least):
    options = Options(compress=name, deployment_target=system)
    request = Request(wide, "fp16", Shapes.fixed(64, 96), options)
    folder = make_artifact("coreml", request, tmp_path)
    assert folder.name.startswith(f"coreml-fp16-{name}-")
    assert read_manifest(folder).target.options["compress"] == name
    package = read_package(folder / "model.mlpackage")
    assert set(compression(package)) == {kind}
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 64, 96)).astype(np.float32)
    wanted = wide(torch.from_numpy(x)).numpy()
    assert difference(open_model(package.path).run(x), wanted).psnr > least


def test_nothing_to_compress_is_an_error(net, tmp_path):
    request = Request(net, "fp16", Shapes.fixed(64, 96), Options(compress="int8"))
    with pytest.raises(ExportError, match="no weight has more than 2,048 values"):
        make_artifact("coreml", request, tmp_path)
