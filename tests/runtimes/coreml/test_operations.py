"""Each operation as coremltools writes it, against torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.exporters.coreml.options import CoreMLOptions
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.targets import open_model
from sttk.toolkit.targets.coreml.describe import operations
from sttk.toolkit.targets.coreml.operations import OPERATIONS, UnsupportedError
from sttk.toolkit.targets.coreml.package import read_package


class Arithmetic(nn.Module):
    """Everything between tensors of one shape, constants on either side."""

    def forward(self, x):
        y = torch.sigmoid(0.1 * x) * 3 - x / 7
        return torch.cat([y - 1.5, x / (y * y + 3), F.leaky_relu(y, 0.2)], 1)[:, 2:5] * F.relu6(x)


class Bends(nn.Module):
    """Paddings and slices."""

    def forward(self, x):
        x = F.pad(x, (1, 2, 3, 0), mode="replicate")
        x = F.pad(x, (2, 1, 0, 3), mode="reflect")
        x = F.pad(x, (1, 0, 2, 0), value=0.5)
        return x[:, :, 1:-2:2, 3::1].mT.floor()


def convolutions():
    return nn.Sequential(
        nn.BatchNorm2d(3),
        nn.Conv2d(3, 6, (3, 5), stride=(2, 1), padding=(1, 2), groups=3, bias=False),
        nn.Tanh(),
        nn.Conv2d(6, 8, 3, dilation=2, padding=2),
        nn.PixelShuffle(2),
        nn.ConvTranspose2d(2, 4, 3, stride=2, padding=1, output_padding=1),
        nn.InstanceNorm2d(4, affine=True),
        nn.ConvTranspose2d(4, 4, (4, 2), stride=2, groups=2),
        nn.InstanceNorm2d(4),
        nn.Upsample(scale_factor=(2.0, 3.0)),
        nn.UpsamplingBilinear2d(scale_factor=2),
        nn.Upsample(scale_factor=2.0, mode="bilinear"),
        nn.Conv2d(4, 3, 1),
    )


MODULES = {"arithmetic": Arithmetic, "bends": Bends, "convolutions": convolutions}


@pytest.mark.parametrize("name", MODULES)
def test_operations(net, tmp_path, name):
    torch.manual_seed(0)
    module = MODULES[name]()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    style = StyleNet(nn.Sequential(module, Brighter()), net.contract, net.origin)
    request = ExportRequest(
        style, Plan("fp32"), Shapes.fixed(12, 17), CoreMLOptions(tensor_io=True)
    )
    package = make_artifact("coreml", request, tmp_path) / "model.mlpackage"
    x = np.random.default_rng(0).uniform(0, 255, (1, 3, 12, 17)).astype(np.float32)
    wanted = style(torch.from_numpy(x)).numpy()
    assert wanted.std() > 1
    assert np.abs(open_model(package).run(x) - wanted).max() < 0.001
    assert set(operations(read_package(package))) <= set(OPERATIONS)


class Brighter(nn.Module):
    """Into the middle of 0..255, so that the clamp hides little."""

    def forward(self, x):
        return 127.5 + 20 * x


@pytest.mark.parametrize(
    ("kind", "constants"),
    [
        ("cast", {"dtype": "int32"}),
        ("pad", {"mode": "circular", "pad": [0] * 8}),
        ("pad", {"mode": "reflect", "pad": [0, 0, 1, 1, 0, 0, 0, 0]}),
        ("conv", {"pad_type": "same", "strides": [1, 1]}),
        ("conv", {"pad_type": "valid", "strides": [1]}),
        ("slice_by_index", {"begin": [0], "end": [2], "stride": [-1]}),
        ("slice_by_index", {"begin": [0], "end": [2], "squeeze_mask": [True]}),
        ("upsample_nearest_neighbor", {"scale_factor_height": 1.5, "scale_factor_width": 2}),
        ("concat", {"axis": 1, "interleave": True}),
        ("quantize", {"output_dtype": "int4", "scale": 1.0}),
        ("dequantize", {"scale": [1.0, 2.0], "axis": 0}),
    ],
)
def test_uses_that_are_not_known(kind, constants):
    with pytest.raises(UnsupportedError):
        OPERATIONS[kind](constants)


def test_quantisers_a_channel_and_with_a_zero_point():
    x = torch.tensor([[[[-3.0, 0.4]], [[5.1, 900.0]]]])
    constants = {"scale": np.float32([1, 2]), "zero_point": np.int8([1, -2]), "axis": 1}
    whole = OPERATIONS["quantize"]({**constants, "output_dtype": "int8"})(input=x)
    assert whole.flatten().tolist() == [-2, 1, 1, 127]
    again = OPERATIONS["dequantize"](constants)(input=whole)
    assert again.flatten().tolist() == [-3, 0, 6, 258]
    unsigned = OPERATIONS["quantize"]({"scale": 2.0, "output_dtype": "uint8"})(input=x)
    assert unsigned.flatten().tolist() == [0, 0, 3, 255]


def test_a_transposed_convolution_of_another_shape_is_an_error():
    constants = {
        "pad_type": "valid",
        "strides": [2, 2],
        "dilations": [1, 1],
        "groups": 1,
        "weight": np.ones((1, 1, 2, 2)),
        "output_shape": [1, 1, 5, 5],
    }
    apply = OPERATIONS["conv_transpose"](constants)
    with pytest.raises(RuntimeError, match="conv_transpose"):
        apply(x=torch.ones(1, 1, 2, 2))
