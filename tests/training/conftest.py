"""A folder of photographs to train on, a small loss network, and runs of tiny nets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from sttk.toolkit.losses.objective import Objective
from sttk.toolkit.losses.perceptual import PerceptualLoss
from sttk.toolkit.losses.vgg_weights import load_vgg
from sttk.toolkit.nets.johnson import JohnsonSpec
from sttk.toolkit.training.data import Crops
from sttk.toolkit.training.loop import Trainer
from sttk.toolkit.training.photos import Photos
from sttk.toolkit.training.recipe import Recipe

OBJECTIVE = Objective("relu1_2", ("relu1_1", "relu2_1"))
ONE_ALONE = replace(
    OBJECTIVE, content_weight=0, style_weight=0, tv_weight=0, color_weight=0, peak_weight=0
)
SPEC = JohnsonSpec((4, 4, 4), 1)


@pytest.fixture
def content(tmp_path):
    folder = tmp_path / "content"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        rgb = rng.integers(0, 256, (50 + 10 * i, 70, 3), dtype=np.uint8)
        Image.fromarray(rgb).save(folder / f"{i}.jpg")
    return folder


@pytest.fixture
def vgg_file(tmp_path):
    rng, arrays, channels = np.random.default_rng(0), {}, 3
    for name, width in (("conv1_1", 64), ("conv1_2", 64), ("conv2_1", 128)):
        arrays[f"{name}.weight"] = rng.normal(0, 0.1, (width, channels, 3, 3)).astype(np.float32)
        arrays[f"{name}.bias"] = np.zeros(width, np.float32)
        channels = width
    np.savez(tmp_path / "vgg.npz", **arrays)
    return tmp_path / "vgg.npz"


@pytest.fixture
def trainer(content, vgg_file, tmp_path):
    vgg = load_vgg(OBJECTIVE, vgg_file)

    def make(name, steps=6, spec=SPEC, inputs=None, teacher=None, objective=OBJECTIVE, **recipe):
        recipe = Recipe(spec, objective, steps, size=32, batch=2, **recipe)
        style = 255 * torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(1))
        crops = Crops(Photos.scan([content]), range(2), 32, recipe.seed)
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        return Trainer(
            recipe, PerceptualLoss(vgg, style, objective), crops, folder, None, inputs, teacher
        )

    return make
