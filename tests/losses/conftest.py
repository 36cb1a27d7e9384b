"""Loss networks of random weights."""

from __future__ import annotations

import numpy as np
import pytest

from sttk.toolkit.nets.vgg import layer_names


def random_vgg_arrays(seed=0, depth=3):
    """Weights of VGG's first convolutions, float32, random."""
    rng = np.random.default_rng(seed)
    arrays, channels = {}, 3
    for name, width in list(zip(layer_names("vgg16"), (64, 64, 128, 128), strict=False))[:depth]:
        scale = (2 / (9 * channels)) ** 0.5
        weight = rng.normal(0, scale, (width, channels, 3, 3))
        arrays[f"{name}.weight"] = weight.astype(np.float32)
        arrays[f"{name}.bias"] = np.zeros(width, np.float32)
        channels = width
    return arrays


@pytest.fixture
def vgg_file(tmp_path):
    np.savez(tmp_path / "vgg.npz", **random_vgg_arrays())
    return tmp_path / "vgg.npz"
