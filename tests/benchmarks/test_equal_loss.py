"""Iterations that are as good as one pass, and the objective by which that is judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from sttk.benchmarks import equal_loss
from sttk.benchmarks.equal_loss import EqualLossSpec
from sttk.toolkit.checkpoints import load
from sttk.toolkit.checkpoints.native import write_card
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.evaluation.own_loss import own_loss
from sttk.toolkit.io.files import sha256
from sttk.toolkit.losses.objective import Objective
from sttk.toolkit.training.recipe import Recipe
from tests.losses.conftest import random_vgg_arrays

OBJECTIVE = Objective("relu2_1", ("relu1_1", "relu1_2"), peak_weight=10.0, color_weight=0.0)


@pytest.fixture
def painting(photo, tmp_path):
    folder = tmp_path / "paintings"
    folder.mkdir()
    path = folder / "painting.png"
    path.write_bytes(photo.read_bytes())
    return path


@pytest.fixture
def trained(checkpoint, painting, tmp_path):
    """The tiny net, as if it had been trained on the painting."""
    path = tmp_path / "trained.safetensors"
    path.write_bytes(checkpoint.read_bytes())
    recipe = replace(Recipe(steps=1, objective=OBJECTIVE), style_size=64).to_dict()
    write_card(path, {
        "painting": painting.name, "painting_sha256": sha256(painting), "recipe": recipe,
        "loss_network": "vgg16",
    })  # fmt: skip
    return path


@pytest.fixture
def vgg(tmp_path):
    np.savez(tmp_path / "vgg.npz", **random_vgg_arrays())
    return tmp_path / "vgg.npz"


def test_iterations_and_seconds_to_the_nets_loss(trained, painting, vgg, photo, monkeypatch):
    monkeypatch.setattr(equal_loss, "MOST", 60)
    judge = EqualLossSpec(str(trained), (painting.parent,), vgg, threads=1).make()
    found = judge.measure(photo, (48, 64), "content")
    iterations = [row[0] for row in found["curve"]]
    assert iterations == list(range(1, len(iterations) + 1))
    seconds = [row[1] for row in found["curve"]]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0
    if found["iterations"] is None:
        assert len(iterations) == 60
    else:
        assert found["iterations"] == iterations[-1]
        assert found["seconds"] == seconds[-1]
        assert found["curve"][-1][2] <= found["aim"]
    # A net of random weights is soon overtaken.
    assert found["iterations"]


def test_the_judge_is_the_nets_own_objective(trained, painting, vgg):
    loss = own_loss(load(trained), [painting.parent], vgg)
    assert loss.objective == replace(OBJECTIVE, peak_weight=0.0)
    picture = torch.from_numpy(np.array(Image.open(painting))).permute(2, 0, 1)[None].float()
    assert loss(picture, loss.content_of(picture)).floats()["content"] == 0


def test_a_net_that_does_not_say_is_refused(checkpoint, painting, vgg):
    with pytest.raises(UsageError, match="does not say what it was trained on"):
        own_loss(load(checkpoint), [painting.parent], vgg)


def test_other_weights_are_refused_with_the_option_that_the_command_has(
    trained, painting, vgg, photo, sttk
):
    asked = ["--equal-loss", "--paintings", painting.parent, "--size", 64, "--style-vgg"]
    card = load(trained).origin.card
    write_card(trained, {**card, "loss_network": "vgg19"})
    other = sttk("bench", trained, *asked, vgg)
    assert other.exit_code == 2, other.output
    assert "trained on vgg19, not vgg16 (pass its weights as --style-vgg)" in other.stderr
    no_vgg = vgg.with_name("other.npz")
    np.savez(no_vgg, x=np.zeros(1))
    none = sttk("bench", trained, *asked, no_vgg)
    assert none.exit_code == 2, none.output
    assert "holds no VGG" in none.stderr
    assert "(pass --style-vgg PATH" in none.stderr


def test_another_painting_is_refused(trained, painting, vgg):
    Image.new("RGB", (64, 64)).save(painting)
    with pytest.raises(UsageError, match="not the painting of the card"):
        own_loss(load(trained), [painting.parent], vgg)
