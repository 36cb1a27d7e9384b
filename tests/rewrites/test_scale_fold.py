from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from sttk.toolkit.checkpoints import load
from sttk.toolkit.checkpoints.layout import Loaded
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import ExportError
from sttk.toolkit.core.style_net import Origin, StyleNet
from sttk.toolkit.imaging.regimes import photographs, shipped_photos
from sttk.toolkit.rewrites.scale_fold import scale_fold


class Float16Norm(nn.Module):
    """As a device computes it that has float16 alone: deviations squared in float16."""

    def __init__(self, norm):
        super().__init__()
        self.norm = norm

    def forward(self, y):
        deviation = (y - y.mean((2, 3), keepdim=True)).half()
        variance = (deviation * deviation).float().mean((2, 3), keepdim=True).half().float()
        scaled = (deviation.float() / (variance + max(self.norm.eps, 6e-8)).sqrt()).half().float()
        weight, bias = (
            value.half().float()[:, None, None] for value in (self.norm.weight, self.norm.bias)
        )
        return weight * scaled + bias


def as_a_float16_device(net):
    net = copy.deepcopy(net)
    for name, module in list(net.named_modules()):
        if isinstance(module, nn.InstanceNorm2d):
            net.set_submodule(name, Float16Norm(module))
        elif isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            for parameter in module.parameters():
                parameter.copy_(parameter.half().float())
            module.register_forward_hook(lambda m, i, output: output.half().float())
    return net


@torch.inference_mode()
def mean_error(net, reference, size=(128, 128)):
    errors = [
        (net(torch.from_numpy(photo)) - reference(torch.from_numpy(photo))).abs().mean()
        for photo in photographs(shipped_photos()[:2], size)
    ]
    return max(errors).item() if all(torch.isfinite(e) for e in errors) else float("inf")


@pytest.fixture
def loud(net):
    """The tiny net, its first convolution as loud as those that take 0..255 as it is."""
    loud = copy.deepcopy(net)
    with torch.no_grad():
        loud.net.conv1.conv.weight.mul_(300.0)
    loud.net.norm1.eps *= 300.0**2
    return loud


def test_without_the_fold_float16_wrecks_the_picture_and_with_it_not(loud):
    folded, scaled = scale_fold(loud)
    assert scaled == 1
    assert mean_error(as_a_float16_device(loud), loud) > 10
    assert mean_error(as_a_float16_device(folded), loud) <= 0.2


def test_a_quiet_net_is_left_as_it_is(net):
    quiet = copy.deepcopy(net)
    with torch.no_grad():
        quiet.net.conv1.conv.weight.mul_(1e-3)
    assert scale_fold(quiet)[0] is quiet


def test_the_net_handed_in_is_not_changed(loud):
    before = copy.deepcopy(loud.state_dict())
    scale_fold(loud)
    assert all(torch.equal(before[key], value) for key, value in loud.state_dict().items())
    assert loud.net.norm1.eps == pytest.approx(1e-5 * 300**2)


def style_net(module):
    loaded = Loaded(module, Contract())
    return StyleNet(loaded.net, loaded.contract, Origin("x", "x", "0" * 64, "x"))


class Branch(nn.Module):
    """Its convolution has another reader than the norm."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.InstanceNorm2d(3)
        with torch.no_grad():
            self.conv.weight.mul_(30.0)

    def forward(self, x):
        y = self.conv(x)
        return self.norm(y) * 40 + 100 + 0.01 * y


class Unconvolved(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.InstanceNorm2d(3)

    def forward(self, x):
        return self.norm(x * 10) * 40 + 100


def test_a_convolution_with_another_reader_is_refused():
    with pytest.raises(ExportError, match="would change the net"):
        scale_fold(style_net(Branch()))


def test_a_norm_that_follows_no_convolution_is_refused():
    with pytest.raises(ExportError, match="follows no convolution"):
        scale_fold(style_net(Unconvolved()))


@pytest.mark.nightly
def test_every_checkpoint_at_hand(shared):
    files = (path for path in (shared / "checkpoints").rglob("*.*") if path.is_file())
    for path in sorted({p.parent if p.name == "manifest.json" else p for p in files}):
        net = load(path)
        folded, scaled = scale_fold(net)
        without = mean_error(as_a_float16_device(net), net)
        with_it = mean_error(as_a_float16_device(folded), net)
        assert scaled >= 1
        assert without > 5
        assert with_it <= 0.2
