from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sttk.exporters import exporter
from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.exporters.coreml.options import CoreMLOptions
from sttk.toolkit.core.errors import ExportError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.targets import open_model
from sttk.toolkit.targets.coreml.describe import compression, operations, precision
from sttk.toolkit.targets.coreml.package import read_package


class Quantised(nn.Module):
    """A convolution with fake quantisers on its input and its weight."""

    def __init__(self, conv, scale, zero=0, bounds=(-128, 127), zeros=0):
        super().__init__()
        self.conv, self.scale, self.zero, self.bounds = conv, scale, zero, bounds
        axis = 1 if isinstance(conv, nn.ConvTranspose2d) else 0
        self.axis = axis
        largest = conv.weight.detach().abs().amax([i for i in range(4) if i != axis])
        self.register_buffer("scales", largest / 127)
        self.register_buffer("zeros", torch.full((len(largest),), zeros, dtype=torch.int32))

    def forward(self, x):
        x = torch.fake_quantize_per_tensor_affine(x, self.scale, self.zero, *self.bounds)
        w = torch.fake_quantize_per_channel_affine(
            self.conv.weight, self.scales, self.zeros, self.axis, *self.bounds
        )
        if self.axis:
            return F.conv_transpose2d(x, w, self.conv.bias, self.conv.stride)
        return F.conv2d(x, w, self.conv.bias, padding=1)


class WithTensors(Quantised):
    """The same, its input's scale being a tensor: another overload of the operation."""

    def __init__(self, conv, scale):
        super().__init__(conv, scale)
        del self.scale, self.zero
        self.register_buffer("scale", torch.tensor(scale))
        self.register_buffer("zero", torch.tensor(0))


def request(net, module, precision="int8", system="iOS17"):
    style = StyleNet(nn.Sequential(*module), net.contract, net.origin)
    options = CoreMLOptions(deployment_target=system, tensor_io=True)
    return ExportRequest(style, Plan(precision), Shapes.fixed(32, 40), options)


def layers(**options):
    torch.manual_seed(0)
    first, second = (nn.Conv2d(*ends, 3, padding=1) for ends in ((3, 5), (5, 3)))
    return [Quantised(first, 2.0, **options), nn.ReLU(), WithTensors(second, 8.0)]


@pytest.mark.parametrize("system", ["iOS17", "iOS18"])
def test_weights_and_activations_are_int8(net, tmp_path, system):
    made = request(net, layers(), system=system)
    folder = make_artifact("coreml", made, tmp_path)
    package = read_package(folder / "model.mlpackage")
    assert precision(package) == "int8"
    assert compression(package) == {"linear": 2}
    found = operations(package)
    assert found["quantize"] == found["dequantize"] == found["conv"] == 2
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 32, 40)).astype(np.float32)
    wanted = made.net(torch.from_numpy(x)).numpy()
    got = open_model(package.path).run(x)
    plain = made.net.net[2].conv(F.relu(made.net.net[0].conv(torch.from_numpy(x))))
    lost = np.abs(plain.detach().clamp(0, 255).numpy() - wanted).mean()
    assert lost > 0.1
    # float16 now and then rounds to the other step of the second quantiser.
    assert np.abs(got - wanted).mean() < lost / 20


def test_in_float32_it_is_torchs_own(net, tmp_path):
    torch.manual_seed(0)
    up = Quantised(nn.ConvTranspose2d(3, 3, 2, stride=2), 1.5)
    made = request(net, [*layers(), up], precision="fp32")
    folder = make_artifact("coreml", made, tmp_path)
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 32, 40)).astype(np.float32)
    got = open_model(folder / "model.mlpackage").run(x)
    wanted = made.net(torch.from_numpy(x)).numpy()
    assert got.shape == (1, 3, 64, 80)
    assert np.abs(got - wanted).max() < 0.001


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"zeros": 3}, "not around 0"),
        ({"bounds": (-127, 127)}, "of -127 to 127, not of"),
    ],
)
def test_quantisers_that_core_ml_has_not(net, tmp_path, options, text):
    with pytest.raises(ExportError, match=text):
        make_artifact("coreml", request(net, layers(**options)), tmp_path)


def test_scales_that_float16_has_not(net, tmp_path):
    module = layers()
    with torch.no_grad():
        module[0].conv.weight.mul_(1e-3)
    module[0].scales.mul_(1e-3)
    with pytest.raises(ExportError, match="too small for float16"):
        make_artifact("coreml", request(net, module), tmp_path)


def test_int8_without_quantisers_is_an_error(net, tmp_path):
    with pytest.raises(ExportError, match="the net has no quantisers"):
        exporter("coreml").export(request(net, [nn.Conv2d(3, 3, 3)]), tmp_path)
