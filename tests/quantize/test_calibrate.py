"""Which convolutions are quantised, and why not all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from sttk.toolkit import styles
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.style_net import Origin, StyleNet
from sttk.toolkit.imaging.regimes import shipped_photos
from sttk.toolkit.nets.mobile import MobileNet, MobileSpec
from sttk.toolkit.parity.metrics import difference
from sttk.toolkit.quantize.affine import fit
from sttk.toolkit.quantize.calibrate import calibrate
from sttk.toolkit.quantize.fake import fake_quantized
from sttk.toolkit.quantize.pictures import pictures
from tests.conftest import random_johnson


def styled(module):
    return StyleNet(module, Contract(), Origin("tiny", "none", "", "sttk"))


@pytest.fixture
def mobile():
    torch.manual_seed(1)
    return styled(MobileNet(MobileSpec(stem=4, trunk=6, blocks=1, head=5)))


def test_what_reads_features_before_any_norm_stays_float(mobile):
    names = {name for name, module in mobile.named_modules() if isinstance(module, nn.Conv2d)}
    assert names - set(calibrate(mobile, shipped_photos()[:1]).inputs) == {"net.conv2.conv"}
    assert set(calibrate(mobile, shipped_photos()[:1], "fp8").inputs) >= {"net.conv2.conv"}


def test_without_such_layers_or_norms_all_are_quantised(net):
    convolutions = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 3))
    for each in (net, styled(convolutions), styled(random_johnson())):
        names = {name for name, module in each.named_modules() if isinstance(module, nn.Conv2d)}
        assert set(calibrate(each, shipped_photos()[:1]).inputs) == names


def test_on_a_picture_of_low_contrast_it_pays():
    """Steps that suit photographs are coarse for it."""
    net, photos = styles.find("ink-mobile-m"), shipped_photos()[:2]
    calibration = calibrate(net, photos)
    with torch.inference_mode():
        read = [torch.relu(net.net.conv1(batch)).numpy().ravel() for batch in pictures(photos)]
    all_of_them = {**calibration.inputs, "net.conv2.conv": fit(np.concatenate(read))}
    x = torch.linspace(120, 136, 96).round().expand(1, 3, 96, 96).contiguous()
    with torch.inference_mode():
        wanted = net(x).numpy()
        psnr = [
            difference(fake_quantized(net, each)(x).numpy(), wanted).psnr
            for each in (calibration, replace(calibration, inputs=all_of_them))
        ]
    assert psnr[0] > psnr[1] + 6
