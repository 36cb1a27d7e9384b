from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from sttk.toolkit.core.errors import ExportError
from sttk.toolkit.quantize.affine import PICTURE, Affine
from sttk.toolkit.quantize.calibrate import Calibration, calibrate
from sttk.toolkit.quantize.fake import QuantConv, fake_quantized
from sttk.toolkit.quantize.pictures import DEGRADATIONS, Coverage, pictures


@pytest.fixture(scope="module")
def calibration(net, photo):
    return calibrate(net, [photo])


def conv(channels=3, out=4, **options):
    torch.manual_seed(0)
    return nn.Conv2d(channels, out, 3, **options).requires_grad_(False)


def test_it_computes_what_whole_numbers_compute():
    affine = Affine(0.05, -100)
    quantized = QuantConv(copy.deepcopy(layer := conv()), affine)
    x = torch.rand(1, 3, 9, 9) * 12 - 2
    q = torch.clamp(torch.round(x / affine.scale) + affine.zero_point, -128, 127)
    scales = layer.weight.abs().amax((1, 2, 3)) / 127
    w = torch.round(layer.weight / scales[:, None, None, None])
    assert w.abs().max() == 127
    sums = nn.functional.conv2d((q - affine.zero_point).double(), w.double())
    wanted = sums * affine.scale * scales[:, None, None] + layer.bias[:, None, None]
    assert torch.allclose(quantized(x).double(), wanted, atol=1e-5)


def test_outputs_are_steps_of_their_scale():
    source, output = Affine(0.05, -128), Affine(0.02, 3)
    plain, rounding = QuantConv(conv(), source), QuantConv(conv(), source, output=output)
    x = torch.rand(1, 3, 9, 9) * 12  # after conv(), which seeds
    steps = torch.round(plain(x) / output.scale) + output.zero_point
    assert steps.min() < -128, "some are cut off"
    wanted = (steps.clamp(-128, 127) - output.zero_point) * output.scale
    assert torch.allclose(rounding(x), wanted, atol=1e-4)


def test_a_picture_loses_nothing():
    layer = conv()
    x = torch.randint(0, 256, (1, 3, 16, 16)).float()
    quantized = QuantConv(copy.deepcopy(layer), PICTURE)
    with torch.no_grad():
        layer.weight.copy_(quantized.rounded_weight())
    assert torch.equal(quantized(x), layer(x))


@pytest.mark.parametrize("bias", [True, False])
def test_without_zero_points_it_is_the_same_function(bias):
    affine = Affine(0.05, -128)
    x = torch.rand(1, 3, 9, 9) * 12
    one, other = (QuantConv(conv(bias=bias), affine, symmetric) for symmetric in (False, True))
    assert other.zero_point == 0
    assert torch.allclose(one(x), other(x), atol=1e-5)


def test_zeros_around_a_shifted_picture_need_a_zero_point():
    with pytest.raises(ExportError, match="a convolution that pads zeros"):
        QuantConv(conv(padding=1), Affine(0.05, -128), symmetric=True)
    assert QuantConv(conv(padding=1), Affine(0.05, 0), symmetric=True).zero_point == 0


@pytest.mark.parametrize("symmetric", [False, True])
def test_larger_scales_of_the_weights_are_the_same_function(symmetric):
    affine, x = Affine(0.05, -128), torch.rand(1, 3, 9, 9) * 12
    plain = QuantConv(conv(), affine, symmetric)
    lifted = QuantConv(conv(), affine, symmetric, least_scale=0.1)
    assert plain.scales.min() < 0.1 <= lifted.scales.min()
    assert torch.equal(plain(x), lifted(x))


def test_every_convolution_is_calibrated_and_the_first_reads_the_picture(net, calibration):
    convolutions = [n for n, m in net.named_modules() if isinstance(m, nn.Conv2d)]
    assert list(calibration.inputs) == convolutions
    assert calibration.inputs[convolutions[0]] == PICTURE
    counts = {"pictures": len(DEGRADATIONS), "dark": 1, "bright": 1, "blurred": 5}
    assert calibration.coverage == counts
    again = Calibration.from_dict(calibration.to_dict())
    assert again.inputs == calibration.inputs


def test_the_quantised_net_is_near_the_float_one(net, calibration, photo):
    quantized = fake_quantized(net, calibration)
    with torch.inference_mode():
        for batch in pictures([photo]):
            error = (quantized(batch) - net(batch)).abs().mean()
            assert 0 < error < 6


def test_the_net_handed_in_is_not_changed(net, calibration):
    fake_quantized(net, calibration)
    assert not any(isinstance(module, QuantConv) for module in net.modules())


def test_a_name_that_is_no_convolution(net):
    with pytest.raises(ValueError, match=r"net.norm1 is no convolution"):
        fake_quantized(net, Calibration("int8", {"net.norm1": PICTURE}, {}))


def test_coverage_counts_what_the_pictures_are():
    coverage = Coverage()
    flat = torch.linspace(0, 255, 128).expand(1, 3, 64, 128)
    noise = torch.randint(0, 2, (1, 3, 64, 64)).float()
    list(coverage.counted([flat, noise * 20, 255 - noise * 20]))
    assert coverage.to_dict() == {"pictures": 3, "dark": 1, "bright": 1, "blurred": 1}
