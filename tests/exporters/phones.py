"""What the tests of the runtimes on phones share."""

from __future__ import annotations

import numpy as np

from sttk.toolkit.imaging.regimes import photographs, shipped_photos
from sttk.toolkit.opened.artifact import open_artifact
from sttk.toolkit.runtimes.torch import TorchRunner
from tests.rungs import rung


def pictures(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)


def rung_of(folder, net, x):
    """How near the artifact's picture, which is not flat, is to the net's: see tests/rungs.py."""
    output = open_artifact(folder).runner().run(x)
    assert output.std() > 10
    return rung(output, net, x)


SMALL = (16, 24)  # pixels of a picture in which it is rare that a value lies halfway


def follows(folder, reference, net):
    """Whether an artifact of size SMALL computes what its quantised reference does.

    A value halfway between two steps of int8 goes either way, as the processor's kernels add up;
    norms then spread it over the picture, and the small net of the tests makes as much of it as of
    quantisation itself. So it is asked of many pictures, so small that few have such a value, and
    in units of what quantisation does to them: by as much another function would be off.
    """
    runners = open_artifact(folder).runner(), TorchRunner(reference), TorchRunner(net)
    outputs = [np.stack([runner.run(x) for x in parts()]) for runner in runners]
    off, apart = (np.abs(outputs[0] - each).mean((1, 2, 3, 4)) for each in outputs[1:])
    return np.median(off) < np.median(apart) / 5


def parts():
    """Of the package's photographs, each (1, 3, H, W) of SMALL; 64 in all."""
    height, width = SMALL
    for photo in photographs(shipped_photos(), (4 * height, 4 * width)):
        rows = np.split(photo, 4, axis=2)
        yield from (np.ascontiguousarray(part) for row in rows for part in np.split(row, 4, axis=3))
