from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.exporters.coreml import compress
from sttk.exporters.coreml.options import CoreMLOptions
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.core.errors import ExportError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.parity.metrics import difference
from sttk.toolkit.targets import open_model
from sttk.toolkit.targets.coreml.describe import compression
from sttk.toolkit.targets.coreml.package import read_package

CASES = [
    ("int8", "iOS16", "linear"),
    ("palette6", "iOS18", "palette"),
    ("palette4", "iOS16", "palette"),
    ("int4", "iOS18", "linear"),
]


def rounded(net, scheme):
    """The net with its large weights rounded to as many steps: of each output channel's largest
    value, or of the block's; in place of a palette, from its smallest to its largest. k-means finds
    no worse one.
    """
    copied = copy.deepcopy(net)
    for module in copied.modules():
        weight = getattr(module, "weight", None)
        if weight is None or weight.numel() <= compress._SMALLEST:
            continue
        with torch.no_grad():
            if scheme.clusters:
                low, high = weight.aminmax()
                step = (high - low) / (2**scheme.bits - 1)
                weight.copy_(low + torch.round((weight - low) / step) * step)
                continue
            for part in weight.split(scheme.block or weight.shape[1], dim=1):
                step = part.abs().amax((1, 2, 3), keepdim=True) / (2 ** (scheme.bits - 1) - 1)
                part.copy_(torch.round(part / step) * step)
    return copied


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "system", "kind"), CASES)
def test_compressed_weights(wide, tmp_path, name, system, kind):
    options = CoreMLOptions(compress=name, deployment_target=system)
    request = ExportRequest(wide, Plan("fp16"), Shapes.fixed(64, 96), options)
    folder = make_artifact("coreml", request, tmp_path)
    assert folder.name.startswith(f"coreml-fp16-{name}-")
    assert read_manifest(folder).target.options["compress"] == name
    package = read_package(folder / "model.mlpackage")
    assert set(compression(package)) == {kind}
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 64, 96)).astype(np.float32)
    wanted = wide(torch.from_numpy(x)).numpy()
    least = difference(rounded(wide, compress.SCHEMES[name])(torch.from_numpy(x)).numpy(), wanted)
    assert least.psnr < 60  # float16 alone has more
    # Twice the power of it: which weights are off by how much is another draw.
    assert difference(open_model(package.path).run(x), wanted).psnr > least.psnr - 3


def test_nothing_to_compress_is_an_error(net, tmp_path):
    request = ExportRequest(net, Plan("fp16"), Shapes.fixed(64, 96), CoreMLOptions(compress="int8"))
    with pytest.raises(ExportError, match="no weight has more than 2,048 values"):
        make_artifact("coreml", request, tmp_path)
