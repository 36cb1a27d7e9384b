"""What the tests of the runtimes on phones share."""

from __future__ import annotations

import numpy as np
import torch

from toolkit.artifact import open_artifact
from toolkit.regimes import photographs, shipped_photos
from toolkit.runtimes.torch import TorchRunner


def pictures(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)


def largest(folder, net, x):
    """By how much the artifact's picture differs from the net's, at most, of 255."""
    with torch.inference_mode():
        wanted = net(torch.from_numpy(x)).numpy()
    got = open_artifact(folder).runner().run(x)
    assert got.shape == wanted.shape
    assert got.std() > 10
    return np.abs(got - wanted).max()


def off(folder, reference, batch):
    """By how much they differ in the mean, on the picture where it is least.

    A value halfway between two steps of int8 may go either way, and the small net of the tests
    makes much of it: on some pictures, though not on all.
    """
    runner, wanted = open_artifact(folder).runner(), TorchRunner(reference)
    return min(float(np.abs(runner.run(x[None]) - wanted.run(x[None])).mean()) for x in batch)


def photos(size):
    """The package's, (B, 3, H, W)."""
    return np.concatenate([*photographs(shipped_photos(), size)])
